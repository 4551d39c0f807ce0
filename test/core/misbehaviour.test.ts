// Stores, queues, hooks, schemas and secrets of an integrator throw, reject, answer late or never; no event is lost by that.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  memoryStore,
  type StandardSchemaV1,
  WebhookErrorHandler,
  WebhookHandler,
  type WebhookHandlerOptions,
  type WebhookQueue,
  type WebhookReply,
  type WebhookStore,
} from '@pathfinder/webhooks';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { STORE_METHODS } from '../../src/options.ts';
import { answered, bodyOf, deliveryOf, RETRY, refused, SECRET } from '../support/deliver.ts';
import { thenableOf } from '../support/receiver.ts';

const CREATED = Math.floor(Date.now() / 1000);
// An event that old is refused, unless the store knows its id.
const LONG_AGO = 1_000_000_000;
const TIMEOUT_MS = 20;
const LATE_MS = 60;

type Call = (right: () => unknown) => unknown;

/** How what is called may behave; `right` is what it should have done. */
const WAYS = {
  'throws at once': () => {
    throw new Error('canary');
  },
  'rejects with nothing': () => Promise.reject(),
  rejects: () => Promise.reject(new Error('canary')),
  'is a thenable': (right) => thenableOf(right()),
  'is a thenable that throws': () =>
    Object.defineProperty({}, 'then', {
      get() {
        throw new Error('canary');
      },
    }),
  'returns nothing': () => undefined,
  'never answers': () => new Promise(() => undefined),
  'answers late': (right) => new Promise((resolve) => setTimeout(() => resolve(right()), LATE_MS)),
  'rejects late': () => new Promise((_, reject) => setTimeout(() => reject(new Error('canary')), LATE_MS)),
} as const satisfies Record<string, Call>;

type Way = keyof typeof WAYS;

const HOOKS = [
  'logger',
  'onError',
  'errorHandler',
  'storeFailedEvent',
  'sendAlert',
  'scheduleRetry',
  'isCritical',
  'waitUntil',
  'now',
  'secret',
  'schema',
  'serialBy',
  'once',
  'listener',
] as const;
const QUEUE_METHODS = ['enqueue', 'stop', 'drain'] as const satisfies readonly (keyof WebhookQueue)[];
const PARTIES = [
  ...STORE_METHODS.map((name) => `store.${name}` as const),
  ...QUEUE_METHODS.map((name) => `queue.${name}` as const),
  ...HOOKS,
];

type Party = (typeof PARTIES)[number];

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);

beforeAll(() => {
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});
afterAll(() => {
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
});

interface Setting {
  readonly webhooks: WebhookHandler;
  readonly store: WebhookStore;
  readonly queue: WebhookQueue | undefined;
  /** Runs of the handlers that ended well, by event. */
  readonly succeeded: string[];
  /** Who was called. */
  readonly asked: ReadonlySet<Party>;
  /** From now on all parties behave. */
  heal(): void;
}

/** A receiver of which the named parties misbehave, each in its way. */
function build(bad: Partial<Record<Party, Way>>, queued: boolean): Setting {
  let healed = false;
  const asked = new Set<Party>();
  const via = <A extends unknown[], R>(party: Party, right: (...args: A) => R): ((...args: A) => R) => {
    const way = bad[party];
    return (...args) => {
      asked.add(party);
      return (way && !healed ? (WAYS[way] as Call)(() => right(...args)) : right(...args)) as R;
    };
  };
  const misbehaving = <T extends object>(object: T, prefix: 'store' | 'queue', methods: readonly string[]): T => {
    const changed: Record<string, unknown> = {};
    for (const method of methods) {
      const right = (object as Record<string, (...args: unknown[]) => unknown>)[method];
      if (right) changed[method] = via(`${prefix}.${method}` as Party, right.bind(object));
    }
    return { ...object, ...changed };
  };

  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const logger = { ...quiet };
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level] = via('logger', quiet[level]);
  const memory = queued ? memoryQueue({ allowVolatile: true, leaseMs: 200, logger: quiet }) : undefined;
  const rightStore = memory?.store ?? { ...memoryStore({ logger: quiet }), leaseMs: 200 };
  const store = misbehaving(rightStore, 'store', STORE_METHODS);
  const queue = memory && misbehaving({ ...memory, store }, 'queue', QUEUE_METHODS);
  const schema: StandardSchemaV1 = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: via('schema', (value: unknown) => ({ value })) as StandardSchemaV1['~standard']['validate'],
    },
  };
  const step = (name: Party) => via(name, () => undefined);
  const errorHandler = new WebhookErrorHandler({
    storeFailedEvent: step('storeFailedEvent'),
    sendAlert: step('sendAlert'),
    scheduleRetry: step('scheduleRetry'),
    isCritical: via('isCritical', () => true),
    logger,
  });
  errorHandler.handle = via('errorHandler', errorHandler.handle.bind(errorHandler));
  const options: WebhookHandlerOptions = {
    secret: via('secret', () => ({ secret: SECRET, tenant: 'acme' })),
    events: { 'user.updated': schema },
    errorHandler,
    onError: via('onError', () => undefined),
    waitUntil: via('waitUntil', () => undefined),
    now: via('now', () => Date.now()),
    logger,
    maxAgeSeconds: 3600,
    storeTimeoutMs: TIMEOUT_MS,
    handlerTimeoutMs: 400,
    retry: queued ? { attempts: 1000, baseMs: 20, factor: 1 } : { attempts: 2, baseMs: 1 },
    ...(queue ? { queue } : { store }),
  };
  const webhooks = new WebhookHandler(options as WebhookHandlerOptions<Record<never, never>>);
  const succeeded: string[] = [];
  webhooks.on(
    'user.*',
    async (event, context) => {
      context.signal.addEventListener('abort', via('listener', () => undefined) as () => void);
      await context.once(
        'step',
        via('once', () => 1),
      );
      await context.isStale('user_1');
      if (event.id.startsWith('failing')) throw new Error('canary');
      // Beyond the deadline, so that the signal aborts.
      if (event.id.startsWith('hanging')) await sleep(450);
      succeeded.push(event.id);
    },
    { name: 'main', serialBy: via('serialBy', (event) => event.id) },
  );
  webhooks.on('user.*', () => undefined, { name: 'second' });
  return {
    webhooks,
    store: rightStore,
    queue: memory,
    succeeded,
    asked,
    heal() {
      healed = true;
    },
  };
}

function bytesOf(id: string): Buffer {
  return bodyOf({ id, type: 'user.updated', created: id.startsWith('old') ? LONG_AGO : CREATED });
}

function deliver({ webhooks }: Setting, id: string): Promise<WebhookReply> {
  return webhooks.receive(deliveryOf(bytesOf(id)));
}

/** What an event leaves in the store that has failed: to be tried again, or for good. */
async function failBefore({ store }: Setting, id: string, dead: boolean): Promise<void> {
  const bodyHash = createHash('sha256').update(bytesOf(id)).digest('hex');
  const claim = await store.claim(`acme\n${id}`, { leaseMs: 1000, bodyHash });
  if (claim.status !== 'acquired') throw new Error(`The store says ${claim.status}.`);
  await store.fail(`acme\n${id}`, claim.token, { ...(dead && { dead: 'failed' }), error: 'earlier' });
}

const REPLIES = [
  refused(400, 'too_old'), // a store that answers nothing knows no id
  refused(401, 'invalid_signature'), // the secret's function knew no such tenant
  answered('processed', 2),
  answered('processed', 1),
  answered('duplicate'),
  answered('queued', 0, 0, 202),
  answered('failed', 2, 1, 500),
  answered('failed', 2, 2, 500), // on a slow machine both handlers outlive their deadline
  answered('failed', 1, 1, 500),
  ...['in_progress', 'store_unavailable', 'queue_unavailable', 'secret_unavailable'].map((code) =>
    refused(503, code, RETRY),
  ),
];

/** As many as it takes for the store to be swept. */
async function deliverMany(setting: Setting): Promise<void> {
  const replies = await Promise.all(Array.from({ length: 1000 }, () => deliver(setting, 'evt_1')));
  for (const reply of replies) expect(REPLIES).toContainEqual(reply);
}

/** What holds whoever misbehaves: replies are documented and in time, the process lives, and once all is well the event runs. */
async function withstands(bad: Partial<Record<Party, Way>>, queued: boolean): Promise<Setting> {
  const setting = build(bad, queued);
  const { webhooks, queue, store, succeeded } = setting;
  // A queue revives its dead letters by itself; without one the core asks the store.
  const ids = queued ? ['evt_1'] : ['evt_1', 'dead_1', 'old_1'];
  for (const id of ids.slice(1)) await failBefore(setting, id, id === 'dead_1');
  if (queued) await webhooks.start({ concurrency: 4 });
  const startedAtMs = performance.now();
  const replies = await Promise.all([...ids, 'failing_1'].map((id) => deliver(setting, id)));
  for (const reply of replies) expect(REPLIES).toContainEqual(reply);
  expect(performance.now() - startedAtMs).toBeLessThan(6000);
  // Its handler takes long enough for heartbeats, and for the deadline.
  if (bad.listener || bad['store.extend']) expect(REPLIES).toContainEqual(await deliver(setting, 'hanging_1'));
  if (bad['store.sweep']) await deliverMany(setting);
  await sleep(LATE_MS + 20);
  setting.heal();
  // A sender repeats what was not acknowledged; what was acknowledged comes to its end by itself.
  const comesToItsEnd = async (id: string, place: number) => {
    const acknowledged = (replies[place]?.status ?? 500) < 300;
    const ended = async () => {
      if (!acknowledged) expect((await deliver(setting, id)).status).toBeLessThan(300);
      expect(succeeded).toContain(id);
      expect((await store.get(`acme\n${id}`))?.state).toBe('done');
    };
    await vi.waitFor(ended, { timeout: 8000, interval: 20 });
  };
  await Promise.all(ids.map(comesToItsEnd));
  await webhooks.stop({ timeoutMs: 2000 });
  await queue?.stop({ timeoutMs: 100 });
  return setting;
}

const ways = Object.keys(WAYS) as Way[];

it('every store, queue and hook is called in at least one of the two modes', async () => {
  const settings = [];
  for (const queued of [false, true]) {
    const setting = await withstands({ onError: 'rejects' }, queued);
    await deliver(setting, 'hanging_1');
    await deliverMany(setting);
    if (queued) await setting.webhooks.drain({ maxMs: 1000, max: 1 });
    settings.push(setting);
  }
  const asked = new Set(settings.flatMap((setting) => [...setting.asked]));
  expect(PARTIES.filter((party) => !asked.has(party))).toEqual([]);
});

describe.each([
  ['over requests', false],
  ['over the queue', true],
] as const)('misbehaving stores, queues and hooks %s', (_, queued) => {
  const parties = PARTIES.filter((party) => queued || !party.startsWith('queue.'));

  it.each(parties)('lose no event when %s misbehaves', async (party) => {
    unhandled.length = 0;
    const named = async (way: Way) =>
      withstands({ [party]: way }, queued).catch((cause) => {
        throw new Error(`${party} ${way}`, { cause });
      });
    await Promise.all(ways.map(named));
    expect(unhandled).toEqual([]);
  });

  it('lose no event when several misbehave at once', async () => {
    unhandled.length = 0;
    const several = fc.dictionary(fc.constantFrom(...parties), fc.constantFrom(...ways), { minKeys: 2, maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(several, async (bad) => void (await withstands(bad, queued))),
      { numRuns: 10 },
    );
    expect(unhandled).toEqual([]);
  });
});
