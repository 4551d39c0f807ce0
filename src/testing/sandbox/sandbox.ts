import { randomBytes, randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyWebhookEvent, WebhookEvent, WebhookEventType } from '../../events/index.ts';
import { mergeDeep, type SampleOverrides, sampleEvent } from '../fixtures/sample-event.ts';
import { planDeliveries, type SandboxAttempt } from './deliveries.ts';
import { checkEventType, createEndpoints, type Endpoint, InvalidRequest } from './endpoints.ts';
import { createManagementApi } from './management-api.ts';
import { readSandboxOptions, type SandboxOptions } from './options.ts';
import { seededRandom } from './random.ts';
import { createScheduler } from './scheduler.ts';

/** Pathfinder in a box: see {@link createSandbox}. */
export interface Sandbox {
  /** The base URL of the management API: `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** The bearer token of the management API. */
  readonly token: string;
  /** What all chance comes from: give it to {@link createSandbox} to have the same run again. */
  readonly seed: number;
  /** Every attempt that has ended, in the order in which they ended. */
  readonly ledger: readonly SandboxAttempt[];
  /**
   * Makes a sample and has it delivered, see {@link Sandbox.deliver}. Its id comes from the seed.
   *
   * @returns The event.
   * @throws TypeError for an unknown type.
   */
  send<T extends WebhookEventType>(type: T, overrides?: SampleOverrides<T>): WebhookEvent<T>;
  /**
   * Has an event delivered to every active webhook that is subscribed to its type. Returns before the first attempt;
   * `idle` waits for the last one.
   *
   * @returns How many webhooks get it.
   */
  deliver(event: AnyWebhookEvent): number;
  /** Resolves when every delivery is through, retries included. */
  idle(): Promise<void>;
  /** Ends the running attempts, drops the waiting ones, and closes the server. Resolves when all that is done. */
  close(): Promise<void>;
}

/**
 * Starts Pathfinder in a box, for integration tests and demos: a server on 127.0.0.1 with the documented management API,
 * which really delivers signed webhooks to the URLs that are registered with it, on this machine only, and as badly as
 * the options ask for. Close it when done.
 *
 * @throws TypeError for options that make no sense; what the system says when the port is taken.
 *
 * @example
 * ```ts
 * const sandbox = await createSandbox({ duplicateRate: 0.5, seed: 7 });
 * const client = new PathfinderWebhooksClient({ token: sandbox.token, baseUrl: sandbox.url });
 * await client.create({ url: receiver.url, events: ['user.created'], secret });
 * sandbox.send('user.created');
 * await sandbox.idle();
 * expect(sandbox.ledger.at(-1)?.status).toBe(200);
 * await sandbox.close();
 * ```
 */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const settings = readSandboxOptions(options);
  const { now, eventTypes: ownTypes } = settings;
  const seed = options.seed ?? randomInt(2 ** 32);
  const token = options.token ?? `pathfinder_sandbox_${randomBytes(16).toString('hex')}`;
  const root = seededRandom(seed);
  const [ids, faults, names] = [root.fork(), root.fork(), root.fork()];
  const endpoints = createEndpoints({ random: names, now, ownTypes });
  const scheduler = createScheduler(settings.concurrency);
  const ledger: SandboxAttempt[] = [];
  const closing = new AbortController();
  const deliverySettings = {
    ...settings,
    signal: closing.signal,
    current: endpoints.get,
    record: (attempt: SandboxAttempt) => ledger.push(Object.freeze(attempt)),
  };
  const nextId = () => `evt_test_${ids.hex(24)}`;

  function schedule(event: AnyWebhookEvent, targets: readonly Endpoint[]): void {
    if (closing.signal.aborted) throw new Error('This sandbox is closed.');
    // The event is serialised now: what the caller does with the object later must not show in a retry.
    const kept = mergeDeep(event, {}) as AnyWebhookEvent;
    for (const endpoint of targets) {
      for (const job of planDeliveries(kept, endpoint, faults, deliverySettings)) scheduler.add(job);
    }
  }

  function deliver(event: AnyWebhookEvent): number {
    const targets = endpoints.list().filter(({ active, events }) => active && events.includes(event.type));
    schedule(event, targets);
    return targets.length;
  }

  function sendTest(endpoint: Endpoint, type: unknown): AnyWebhookEvent {
    const known = checkEventType(type, ownTypes) as WebhookEventType;
    if (!endpoint.active) throw new InvalidRequest('the webhook is not active');
    if (ownTypes.includes(known)) throw new InvalidRequest('the sandbox has no sample of this type: call deliver');
    const event = sampleEvent(known, undefined, { nextId, now });
    schedule(event, [endpoint]);
    return event;
  }

  const server = createServer(createManagementApi({ token, endpoints, sendTest }));
  const url = await listen(server, settings.port);
  return {
    url,
    token,
    seed,
    get ledger() {
      return [...ledger];
    },
    send(type, overrides) {
      const event = sampleEvent(type, overrides, { nextId, now });
      deliver(event);
      return event;
    },
    deliver,
    idle: scheduler.idle,
    async close() {
      closing.abort();
      await scheduler.close();
      await closeServer(server);
    },
  };
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // A second call finds the server closed, which is what was asked for.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
