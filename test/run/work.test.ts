import { setTimeout as delay } from 'node:timers/promises';
import {
  memoryStore,
  NonRetryableError,
  RetryAfterError,
  WebhookErrorHandler,
  WebhookHandler,
} from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { answered, bodyOf, deliveryOf, recordingLogger, refused, SECRET } from '../support/deliver.ts';
import { handQueue, queueReceiver } from '../support/hand-queue.ts';

const NO_HANDLERS = 'Register handlers with on() first: else every queued event would become a dead letter.';
const STARTED = 'The workers run: call on() and off() before start(), or after stop().';
const queued = answered('queued', 0, 0, 202);

describe('a queue', () => {
  it('stores a delivery with its exact bytes and few headers, whatever is registered', async () => {
    const { receive, waiting, webhooks, calls } = await queueReceiver();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const headers = {
      'content-type': 'text/plain',
      cookie: 'session',
      authorization: 'Bearer x',
      'x-anything': 'x',
      traceparent,
    };
    expect(await receive({}, { headers })).toEqual(queued);
    expect(waiting).toEqual([
      {
        key: 'evt_1',
        eventId: 'evt_1',
        type: 'user.created',
        tenant: undefined,
        created: 1_709_280_000,
        body: bodyOf(),
        bodyHash: expect.stringMatching(/^[\da-f]{64}$/),
        headers: { 'content-type': 'text/plain' },
        traceparent,
        receivedAtMs: expect.any(Number),
      },
    ]);
    expect(await receive({}, { headers: { traceparent: 'nonsense\n' } })).toEqual(queued);
    expect(waiting[1]?.traceparent).toBeUndefined();
    webhooks.on('user.deleted', () => undefined);
    await webhooks.start({ concurrency: 3 });
    await webhooks.stop({ timeoutMs: 5 });
    expect(calls).toEqual([
      ['start', { concurrency: 3 }],
      ['stop', { timeoutMs: 5 }],
    ]);
    expect(webhooks.metrics.getStats()).toMatchObject({ queued: 2, received: 0 });
  });

  it('returns duplicates, revivals and conflicts as outcomes', async () => {
    const answers = ['duplicate', 'revived', 'conflict'] as const;
    for (const [i, reply] of [answered('duplicate'), queued, refused(409, 'id_conflict')].entries()) {
      const { receive } = await queueReceiver({}, handQueue({ enqueue: async () => answers[i] ?? 'accepted' }));
      expect(await receive()).toEqual(reply);
    }
  });

  it('runs an event once', async () => {
    const { receive, run, store, webhooks } = await queueReceiver();
    let runs = 0;
    webhooks.on('*', () => void runs++);
    await receive();
    expect([await run(), await run(), runs]).toEqual([{ kind: 'done' }, { kind: 'done' }, 1]);
    expect((await store.get('evt_1'))?.state).toBe('done');
    expect(webhooks.metrics.getStats()).toMatchObject({ processed: 1, duplicates: 1 });
  });

  it('keeps an unhandled event with that reason, counted and reported once per type', async () => {
    const { receive, run, store, waiting, webhooks, logger } = await queueReceiver();
    webhooks.on('user.deleted', () => undefined);
    for (const id of ['evt_1', 'evt_2', 'evt_3']) {
      await receive({ id, ...(id === 'evt_3' && { type: 'team.created' }) });
      expect(await run()).toEqual({ kind: 'unhandled' });
      expect(await store.get(id)).toMatchObject({ state: 'dead', reason: 'unhandled', claims: 0, failures: 0 });
      waiting.shift();
    }
    expect(webhooks.metrics.getStats()).toMatchObject({ unhandled: 3, deadLetters: 0 });
    const message = 'No handler matches queued webhook events of this type: they are kept as dead letters (unhandled)';
    expect(logger.lines).toEqual([
      { level: 'warn', fields: { event_id: 'evt_1', event_type: 'user.created' }, message },
      { level: 'warn', fields: { event_id: 'evt_3', event_type: 'team.created' }, message },
    ]);
  });

  it('warns of at most a hundred unhandled types', async () => {
    const { receive, run, waiting, webhooks, logger } = await queueReceiver();
    webhooks.on('user.deleted', () => undefined);
    for (let n = 1; n <= 102; n++) {
      await receive({ id: `evt_${n}`, type: `unknown.type_${n}` });
      expect(await run()).toEqual({ kind: 'unhandled' });
      waiting.shift();
    }
    const warned = logger.lines.filter(({ message }) => message.startsWith('No handler matches'));
    expect([warned.length, warned.at(-1)?.fields]).toEqual([
      100,
      { event_id: 'evt_100', event_type: 'unknown.type_100' },
    ]);
  });

  it('does not report an event as unhandled when another worker has it', async () => {
    const store = { ...memoryStore(), leaseMs: 5000, fail: async () => false };
    const { receive, run, webhooks } = await queueReceiver({}, handQueue({ store }));
    webhooks.on('user.deleted', () => undefined);
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 5000 });
    expect(webhooks.metrics.getStats()).toMatchObject({ unhandled: 0 });
  });

  it('retries a failure by the policy, only where it failed, until it is dead', async () => {
    const told: unknown[] = [];
    const errorHandler = new WebhookErrorHandler({
      storeFailedEvent: () => told.push('stored'),
      scheduleRetry: () => told.push('never'),
      logger: recordingLogger(),
    });
    const { receive, run, wait, store, webhooks } = await queueReceiver({
      retry: { schedule: [1000], attempts: 3, jitter: 'none' },
      errorHandler,
    });
    const attempts: number[] = [];
    let sound = 0;
    webhooks.on('*', () => void sound++, { name: 'sound' });
    webhooks.on(
      '*',
      (_, { attempt }) => {
        attempts.push(attempt);
        throw new Error('no');
      },
      { name: 'failing' },
    );
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 1000, error: new Error('no') });
    expect(await run()).toEqual({ kind: 'retry', inMs: 1000 });
    wait(1000);
    expect(await run()).toMatchObject({ kind: 'retry', inMs: 1000 });
    wait(1000);
    expect(await run()).toEqual({ kind: 'dead', error: new Error('no') });
    expect([attempts, sound]).toEqual([[1, 2, 3], 1]);
    expect(await store.get('evt_1')).toMatchObject({ state: 'dead', failures: 3, error: 'failing: Error: no' });
    expect(await run()).toEqual({ kind: 'dead', error: new Error('The event had failed for good before.') });
    expect(told).toEqual(['stored']);
    expect(webhooks.metrics.getStats()).toMatchObject({ failed: 3, deadLetters: 1 });
  });

  it('respects the delay or the refusal to retry of an error', async () => {
    for (const [error, outcome] of [
      [new RetryAfterError('later', 5000), { kind: 'retry', inMs: 5000 }],
      [new NonRetryableError('never'), { kind: 'dead' }],
    ] as const) {
      const { receive, run, webhooks } = await queueReceiver({ retry: { jitter: 'none' } });
      webhooks.on('*', () => Promise.reject(error));
      await receive();
      expect(await run()).toEqual({ ...outcome, error });
    }
  });

  it('gives up a payload that crashes its process, and a deploy does not count as its failure', async () => {
    const { receive, run, wait, store, webhooks, errors, logger } = await queueReceiver();
    webhooks.on('*', () => undefined);
    await receive();
    const bodyHash = (await import('node:crypto')).createHash('sha256').update(bodyOf()).digest('hex');
    for (let i = 0; i < 10; i++) {
      expect((await store.claim('evt_1', { leaseMs: 10, bodyHash })).status).toBe('acquired');
      wait(10);
    }
    expect(await run()).toMatchObject({
      kind: 'dead',
      error: new Error('Its last 10 runs ended without a word: each took its process down.'),
    });
    expect(await store.get('evt_1')).toMatchObject({ state: 'dead', reason: 'poison', steps: { '!dead': '' } });
    const error = new Error('Its last 10 runs ended without a word: each took its process down.');
    expect(errors).toEqual([error]);
    expect(logger.lines).toContainEqual({
      level: 'error',
      fields: { event_id: 'evt_1', event_type: 'user.created', err: error },
      message: 'A webhook handler failed',
    });
  });

  it('reports no crashing payload after the event was lost to another worker', async () => {
    const acquired = { status: 'acquired', token: 't', attempt: 11, claims: 11, failures: 0, steps: {} } as const;
    const store = { ...memoryStore(), claim: async () => acquired, fail: async () => false };
    const { receive, run, webhooks, errors } = await queueReceiver({}, handQueue({ store }));
    webhooks.on('*', () => undefined);
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 30_000 });
    expect([errors, webhooks.metrics.getStats().deadLetters]).toEqual([[], 0]);
  });

  it("gives up an event even when telemetry's death mark fails", async () => {
    const store = { ...memoryStore(), checkpoint: () => Promise.reject(new Error('no room')) };
    const { receive, run, webhooks } = await queueReceiver({ retry: { attempts: 1 } }, handQueue({ store }));
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'failing' });
    await receive();
    expect(await run()).toEqual({ kind: 'dead', error: new Error('no') });
    expect(await store.get('evt_1')).toMatchObject({ state: 'dead', reason: 'failed' });
  });

  it('reports no failure of a handler that outlasts its lease', async () => {
    const told: unknown[] = [];
    const errorHandler = new WebhookErrorHandler({
      storeFailedEvent: (event) => told.push(event.id),
      logger: recordingLogger(),
    });
    const { receive, run, store, webhooks, wait } = await queueReceiver({ errorHandler, retry: { attempts: 1 } });
    webhooks.on('*', async function zombie() {
      wait(60_000);
      const { bodyHash = '' } = (await store.get('evt_1')) ?? {};
      const claim = await store.claim('evt_1', { leaseMs: 1000, bodyHash });
      if (claim.status !== 'acquired' || !(await store.complete('evt_1', claim.token)))
        throw new Error('not taken over');
      throw new Error('late');
    });
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 30_000 });
    expect([told, webhooks.metrics.getStats().failed]).toEqual([[], 0]);
    expect((await store.get('evt_1'))?.state).toBe('done');
  });

  it('returns the event without a failure when a worker is stopped', async () => {
    const { receive, run, store, webhooks } = await queueReceiver();
    webhooks.on('*', (_, { signal }) => delay(5000, undefined, { signal }));
    await receive();
    const stop = new AbortController();
    const outcome = run(stop.signal);
    await delay(5);
    stop.abort(new Error('deploy'));
    expect(await outcome).toEqual({ kind: 'retry', inMs: 0 });
    expect(await store.get('evt_1')).toMatchObject({ state: 'free', failures: 0, claims: 0 });
    const stopped = new AbortController();
    stopped.abort();
    expect(await run(stopped.signal)).toEqual({ kind: 'retry', inMs: 0 });
  });

  it('keeps the worker until the handler settles after a deadline', async () => {
    const { receive, run, store, webhooks } = await queueReceiver({ handlerTimeoutMs: 20 });
    let settled = false;
    webhooks.on('*', async () => {
      await delay(60);
      settled = true;
      throw new Error('late');
    });
    await receive();
    expect(await run()).toMatchObject({ kind: 'retry' });
    expect([settled, (await store.get('evt_1'))?.failures]).toEqual([true, 1]);
  });

  it('returns an event of a busy lane for a while without a failure', async () => {
    const { receive, run, store, webhooks } = await queueReceiver();
    webhooks.on('*', () => undefined, { serialBy: () => 'lane', name: 'serial' });
    await receive();
    const lane = await store.claim('lane\n\n*#serial\nlane', { leaseMs: 1000, bodyHash: '' });
    if (lane.status !== 'acquired') throw new Error('not acquired');
    expect(await run()).toEqual({ kind: 'retry', inMs: 200 });
    expect(await store.get('evt_1')).toMatchObject({ state: 'free', failures: 0 });
  });

  it('keeps an event alive while a handler waits for its lane next to a final failure', async () => {
    const { receive, run, store, webhooks, wait } = await queueReceiver();
    const ran: string[] = [];
    webhooks.on('*', () => void ran.push('serial'), { serialBy: () => 'lane', name: 'serial' });
    webhooks.on(
      '*',
      () => {
        ran.push('hopeless');
        throw new NonRetryableError('never');
      },
      { name: 'hopeless' },
    );
    await receive();
    const lane = await store.claim('lane\n\n*#serial\nlane', { leaseMs: 1000, bodyHash: '' });
    if (lane.status !== 'acquired') throw new Error('not acquired');
    expect(await run()).toEqual({ kind: 'retry', inMs: 200, error: new NonRetryableError('never') });
    wait(1000);
    expect(await run()).toMatchObject({ kind: 'dead' });
    expect(ran).toEqual(['hopeless', 'serial']);
  });

  it('reports a different body under a known id and does not run it', async () => {
    const { receive, run, waiting, webhooks, errors } = await queueReceiver();
    let runs = 0;
    webhooks.on('*', () => void runs++);
    await receive();
    await run();
    await receive({ created: 5 });
    waiting.shift();
    expect([await run(), runs]).toEqual([{ kind: 'conflict' }, 1]);
    expect(errors).toEqual([expect.objectContaining({ code: 'id_conflict' })]);
  });

  it('retries when the store is down', async () => {
    const store = { ...memoryStore(), claim: () => Promise.reject(new Error('down')) };
    const { receive, run, webhooks, logger } = await queueReceiver({}, handQueue({ store }));
    webhooks.on('*', () => undefined);
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 1000 });
    expect(logger.lines.at(-1)).toEqual({
      level: 'error',
      fields: { event_id: 'evt_1', err: expect.objectContaining({ cause: new Error('down') }) },
      message: 'A queued webhook event could not be taken up',
    });
  });

  it('drains through waitUntil after the commit when no worker runs', async () => {
    const hand = handQueue();
    const work: Promise<unknown>[] = [];
    const webhooks = new WebhookHandler({ secret: SECRET, queue: hand.queue, logger: recordingLogger() });
    let runs = 0;
    webhooks.on('*', () => void runs++);
    const waitUntil = (promise: Promise<unknown>) => void work.push(promise);
    expect(await webhooks.receive(deliveryOf(bodyOf(), { waitUntil }))).toEqual(queued);
    await Promise.all(work);
    expect([runs, hand.calls]).toEqual([1, [['drain', { maxMs: 10_000, max: Number.POSITIVE_INFINITY }]]]);
  });

  it('drains nothing through waitUntil without a handler, with workers and after stop', async () => {
    const { queue, calls } = handQueue();
    const webhooks = new WebhookHandler({
      secret: SECRET,
      queue,
      logger: recordingLogger(),
      waitUntil: () => undefined,
    });
    const receive = (id: string) => webhooks.receive(deliveryOf(bodyOf({ id })));
    expect(await receive('evt_1')).toEqual(queued);
    webhooks.on('*', () => undefined);
    await webhooks.start();
    expect(await receive('evt_2')).toEqual(queued);
    await webhooks.stop();
    expect(await receive('evt_3')).toEqual(queued);
    expect(calls.map((call) => (call as readonly unknown[])[0])).toEqual(['start', 'stop']);
  });

  it('drains nothing through waitUntil for a delivery that is already queued', async () => {
    const { queue, calls } = handQueue({ enqueue: async () => 'duplicate' });
    const waitUntil = () => undefined;
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger(), waitUntil });
    webhooks.on('*', () => undefined);
    expect(await webhooks.receive(deliveryOf(bodyOf()))).toEqual(answered('duplicate'));
    expect(calls).toEqual([]);
  });

  it('starts no workers and drains nothing without a handler', async () => {
    const { queue, calls } = handQueue();
    const webhooks = new WebhookHandler({ secret: SECRET, queue });
    await expect(webhooks.start()).rejects.toThrow(new TypeError(NO_HANDLERS));
    await expect(webhooks.drain({ maxMs: 1 })).rejects.toThrow(new TypeError(NO_HANDLERS));
    expect(calls).toEqual([]);
  });

  it('rejects registering and removing handlers while workers run', async () => {
    const { queue } = handQueue();
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger() });
    const handler = () => undefined;
    webhooks.on('user.created', handler);
    const starting = webhooks.start();
    expect(() => webhooks.on('user.deleted', handler)).toThrow(new TypeError(STARTED));
    await starting;
    expect(() => webhooks.off('user.created', handler)).toThrow(new TypeError(STARTED));
    expect(webhooks.eventTypes).toEqual(['user.created']);
    await webhooks.stop();
    webhooks.off('user.created', handler).on('user.deleted', handler);
    expect(webhooks.eventTypes).toEqual(['user.deleted']);
  });

  it('accepts handler changes after a start that failed', async () => {
    const { queue } = handQueue({ start: () => Promise.reject(new Error('down')) });
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger() });
    webhooks.on('user.created', () => undefined);
    await expect(webhooks.start()).rejects.toThrow('down');
    expect(webhooks.on('user.deleted', () => undefined).eventTypes).toEqual(['user.created', 'user.deleted']);
  });

  it("rejects a store next to a queue, even the queue's own", () => {
    const { queue } = handQueue();
    for (const store of [memoryStore(), queue.store]) {
      expect(() => new WebhookHandler({ secret: SECRET, queue, store })).toThrow(
        new TypeError('A queue brings its own store: leave `store` out, or give it to the queue.'),
      );
    }
  });

  it('rejects a store and queue pair that would lose events', () => {
    const { queue } = handQueue({ durable: true });
    expect(() => new WebhookHandler({ secret: SECRET, queue })).toThrow(/durable queue needs a durable store/);
    const shared = handQueue({ shared: true }).queue;
    expect(() => new WebhookHandler({ secret: SECRET, queue: shared })).toThrow(/queue that spans machines/);
  });
});
