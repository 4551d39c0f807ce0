import assert from 'node:assert/strict';
import { type WebhookDelivery, WebhookHandler, type WebhookHandlerOptions, type WebhookQueue } from '../../../index.ts';
import { signWebhookPayload } from '../../fixtures/sign.ts';

/** How to open the queue under test. */
export interface OpenQueueOptions {
  /** `A-Z a-z 0-9 _`, new for each case: what one namespace holds is not seen in another. */
  readonly namespace: string;
}

/** Opens the queue; again with the same namespace, one that a shared queue shares its events with. */
export type OpenQueue = (options: OpenQueueOptions) => WebhookQueue | Promise<WebhookQueue>;

/** What kind of queue a case is about. */
export type QueueKind = 'durable' | 'shared';

/** One promise of a queue. */
export interface QueueCase {
  /** A sentence. */
  readonly name: string;
  /** Only queues of this kind promise it. Absent: all of them. */
  readonly kind?: QueueKind | undefined;
  /** Rejects where the queue breaks the promise. */
  run(bench: QueueBench): Promise<void>;
}

/** What a case works with. */
export interface QueueBench {
  /** A queue on a namespace of its own. */
  readonly queue: WebhookQueue;
  /** Another instance on the same namespace. */
  open(): Promise<WebhookQueue>;
  /** A receiver on the queue, or on the one given, with three attempts some milliseconds apart. Stopped with the case. */
  receiver(options?: Partial<WebhookHandlerOptions>): WebhookHandler;
  /** Asks until there is an answer. */
  until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T>;
}

const SECRET = 'whsec_queue_contract_0123456789abcdef';
export const CREATED = 1_709_280_000;
export const ATTEMPTS = 3;

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export function newReceiver(queue: WebhookQueue, options: Partial<WebhookHandlerOptions> = {}): WebhookHandler {
  return new WebhookHandler({
    secret: SECRET,
    queue,
    retry: { attempts: ATTEMPTS, baseMs: 5, factor: 1, jitter: 'none' },
    logger: SILENT,
    ...options,
  });
}

/** Options of a receiver where the route's parameter `tenant` names the tenant. */
export const TENANTS: Partial<WebhookHandlerOptions> = {
  secret: ({ params }) => ({ secret: SECRET, tenant: params?.tenant ?? 'none' }),
};

/** The bytes of an event. */
export function bytesOf(id: string, more: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const data = { user: { id: 'user_1', username: 'ada', email: 'ada@example.com' } };
  return Buffer.from(JSON.stringify({ id, type: 'user.created', api_version: '1.0', created: CREATED, data, ...more }));
}

/** Delivers bytes as Pathfinder does; gives the status of the reply, and what its body says. */
export async function deliver(
  webhooks: WebhookHandler,
  body: Uint8Array,
  more: Partial<WebhookDelivery> = {},
): Promise<readonly [status: number, outcome: unknown]> {
  const headers: Readonly<Record<string, string>> = {
    'content-type': 'application/json',
    'x-request-id': 'req_1',
    'x-pathfinder-signature': signWebhookPayload(body, SECRET),
  };
  const header = (name: string) => headers[name.toLowerCase()];
  const reply = await webhooks.receive({ method: 'POST', body, header, ...more });
  const { status, error } = JSON.parse(reply.body) as { readonly status?: string; readonly error?: string };
  return [reply.status, status ?? error];
}

export const QUEUED = [202, 'queued'] as const;
export const DUPLICATE = [200, 'duplicate'] as const;
export const CONFLICT = [409, 'id_conflict'] as const;

/** Delivers new events, all at the same time. */
export async function deliverAll(webhooks: WebhookHandler, ids: readonly string[]): Promise<void> {
  const replies = await Promise.all(ids.map((id) => deliver(webhooks, bytesOf(id))));
  assert.deepEqual(
    replies,
    ids.map(() => QUEUED),
  );
}

export function untilState(bench: QueueBench, key: string, state: string): Promise<true> {
  return bench.until(`${key} to be ${state}`, async () => {
    const row = await bench.queue.store.get(key);
    return row?.state === state ? true : undefined;
  });
}

/** Delivers an event to a handler that fails for good, and waits until it is dead. Stops the receiver. */
export async function bury(bench: QueueBench, ...ids: readonly string[]): Promise<void> {
  const webhooks = bench.receiver({ retry: { attempts: 1 } });
  webhooks.on('*', function broken() {
    throw new Error('cannot');
  });
  await webhooks.start();
  for (const id of ids) {
    // Events are delivered one after the other, in different milliseconds, so that their order is known.
    assert.deepEqual(await deliver(webhooks, bytesOf(id)), QUEUED);
    await untilState(bench, id, 'dead');
    await bench.until(`${id} to be listed`, () => bench.queue.deadLetters.get({ id }));
    await pause(2);
  }
  await webhooks.stop();
}

/** Delivers events to a handler that fails for good, and waits until each is dead, in an order that is known. Stops the receiver. */
export async function buryEvents(
  bench: QueueBench,
  events: readonly (readonly [tenant: string, id: string, type: string])[],
): Promise<void> {
  const webhooks = bench.receiver({ ...TENANTS, retry: { attempts: 1 } });
  webhooks.on('*', () => {
    throw new Error('cannot');
  });
  await webhooks.start();
  for (const [tenant, id, type] of events) {
    assert.deepEqual(await deliver(webhooks, bytesOf(id, { type }), { params: { tenant } }), QUEUED);
    const letter = await bench.until(`${id} to be dead`, () => bench.queue.deadLetters.get({ id, tenant }));
    // The next event fails in a later millisecond.
    await bench.until('the next millisecond', () => (Date.now() > letter.failedAtMs ? true : undefined));
  }
  await webhooks.stop();
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
  /** True, or undefined, for `until`. */
  isOpen(): true | undefined;
}

/** A promise, and what resolves it. */
export function gate(): Gate {
  let isOpen: true | undefined;
  let resolveIt = () => {};
  const passed = new Promise<void>((resolve) => {
    resolveIt = resolve;
  });
  const open = () => {
    isOpen = true;
    resolveIt();
  };
  return { passed, open, isOpen: () => isOpen };
}
