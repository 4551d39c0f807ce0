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

describe('with a queue', () => {
  it('a delivery is kept with its exact bytes and few of its headers, whatever is registered', async () => {
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

  it('a duplicate, a revival and a conflict are what the queue says they are', async () => {
    const answers = ['duplicate', 'revived', 'conflict'] as const;
    for (const [i, reply] of [answered('duplicate'), queued, refused(409, 'id_conflict')].entries()) {
      const { receive } = await queueReceiver({}, handQueue({ enqueue: async () => answers[i] ?? 'accepted' }));
      expect(await receive()).toEqual(reply);
    }
  });

  it('an event is worked off, once', async () => {
    const { receive, run, store, webhooks } = await queueReceiver();
    let runs = 0;
    webhooks.on('*', () => void runs++);
    await receive();
    expect([await run(), await run(), runs]).toEqual([{ kind: 'done' }, { kind: 'done' }, 1]);
    expect((await store.get('evt_1'))?.state).toBe('done');
    expect(webhooks.metrics.getStats()).toMatchObject({ processed: 1, duplicates: 1 });
  });

  it('an event that nobody handles is kept for that reason, which is counted, and told once for each type', async () => {
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

  it('an event that nobody handles is not said to be unhandled when another worker has it now', async () => {
    const store = { ...memoryStore(), leaseMs: 5000, fail: async () => false };
    const { receive, run, webhooks } = await queueReceiver({}, handQueue({ store }));
    webhooks.on('user.deleted', () => undefined);
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 5000 });
    expect(webhooks.metrics.getStats()).toMatchObject({ unhandled: 0 });
  });

  it('a failure is retried by the policy, only where it failed, until it is dead', async () => {
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

  it('an error says when to come back, or never', async () => {
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

  it('a payload that takes its process down dies in the end, and a deploy does not count as its failure', async () => {
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

  it('a payload that takes its process down is told by nobody who has lost the event meanwhile', async () => {
    const acquired = { status: 'acquired', token: 't', attempt: 11, claims: 11, failures: 0, steps: {} } as const;
    const store = { ...memoryStore(), claim: async () => acquired, fail: async () => false };
    const { receive, run, webhooks, errors } = await queueReceiver({}, handQueue({ store }));
    webhooks.on('*', () => undefined);
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 30_000 });
    expect([errors, webhooks.metrics.getStats().deadLetters]).toEqual([[], 0]);
  });

  it('an event dies although the mark of that, which telemetry reads, cannot be made', async () => {
    const store = { ...memoryStore(), checkpoint: () => Promise.reject(new Error('no room')) };
    const { receive, run, webhooks } = await queueReceiver({ retry: { attempts: 1 } }, handQueue({ store }));
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'failing' });
    await receive();
    expect(await run()).toEqual({ kind: 'dead', error: new Error('no') });
    expect(await store.get('evt_1')).toMatchObject({ state: 'dead', reason: 'failed' });
  });

  it('a handler that outlives its lease and then fails tells nobody that the event has failed', async () => {
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

  it('a worker that is told to stop gives the event back without a failure', async () => {
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

  it('the deadline holds the worker until the handler settles', async () => {
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

  it('a busy lane sends the event back for a while, without a failure', async () => {
    const { receive, run, store, webhooks } = await queueReceiver();
    webhooks.on('*', () => undefined, { serialBy: () => 'lane', name: 'serial' });
    await receive();
    const lane = await store.claim('lane\n\n*#serial\nlane', { leaseMs: 1000, bodyHash: '' });
    if (lane.status !== 'acquired') throw new Error('not acquired');
    expect(await run()).toEqual({ kind: 'retry', inMs: 200 });
    expect(await store.get('evt_1')).toMatchObject({ state: 'free', failures: 0 });
  });

  it('a handler that waits for its lane keeps the event from dying with one that failed for good', async () => {
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

  it('other bytes under its id are told and not run', async () => {
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

  it('a store that is down is tried again', async () => {
    const store = { ...memoryStore(), claim: () => Promise.reject(new Error('down')) };
    const { receive, run, webhooks, logger } = await queueReceiver({}, handQueue({ store }));
    webhooks.on('*', () => undefined);
    await receive();
    expect(await run()).toEqual({ kind: 'retry', inMs: 1000 });
    expect(logger.lines.at(-1)).toMatchObject({ level: 'error', fields: { event_id: 'evt_1' } });
  });

  it('waitUntil drains after the commit where no worker runs', async () => {
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

  it('waitUntil drains nothing without a handler, while workers run, and after stop', async () => {
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

  it('waitUntil drains nothing for a delivery that the queue has already', async () => {
    const { queue, calls } = handQueue({ enqueue: async () => 'duplicate' });
    const waitUntil = () => undefined;
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger(), waitUntil });
    webhooks.on('*', () => undefined);
    expect(await webhooks.receive(deliveryOf(bodyOf()))).toEqual(answered('duplicate'));
    expect(calls).toEqual([]);
  });

  it('workers are not started, and nothing is drained, without a handler', async () => {
    const { queue, calls } = handQueue();
    const webhooks = new WebhookHandler({ secret: SECRET, queue });
    await expect(webhooks.start()).rejects.toThrow(new TypeError(NO_HANDLERS));
    await expect(webhooks.drain({ maxMs: 1 })).rejects.toThrow(new TypeError(NO_HANDLERS));
    expect(calls).toEqual([]);
  });

  it('handlers are neither registered nor removed while workers run', async () => {
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

  it('handlers may come and go after a start that failed', async () => {
    const { queue } = handQueue({ start: () => Promise.reject(new Error('down')) });
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger() });
    webhooks.on('user.created', () => undefined);
    await expect(webhooks.start()).rejects.toThrow('down');
    expect(webhooks.on('user.deleted', () => undefined).eventTypes).toEqual(['user.created', 'user.deleted']);
  });

  it('a store beside a queue is refused, its own too', () => {
    const { queue } = handQueue();
    for (const store of [memoryStore(), queue.store]) {
      expect(() => new WebhookHandler({ secret: SECRET, queue, store })).toThrow(
        new TypeError('A queue brings its own store: leave `store` out, or give it to the queue.'),
      );
    }
  });

  it('a pair that would lose events quietly is refused', () => {
    const { queue } = handQueue({ durable: true });
    expect(() => new WebhookHandler({ secret: SECRET, queue })).toThrow(/durable queue needs a durable store/);
    const shared = handQueue({ shared: true }).queue;
    expect(() => new WebhookHandler({ secret: SECRET, queue: shared })).toThrow(/queue that spans machines/);
  });
});
