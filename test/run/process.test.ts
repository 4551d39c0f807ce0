import { createHash } from 'node:crypto';
import { memoryStore, NonRetryableError, type WebhookReply, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebhookError } from '../../src/errors.ts';
import { Observer } from '../../src/report/observer.ts';
import { QUEUED_RETRY } from '../../src/retry/policy.ts';
import type { Core, Job } from '../../src/run/core.ts';
import { createDeadlines } from '../../src/run/deadlines.ts';
import { Lanes } from '../../src/run/lanes.ts';
import { FROM_QUEUE } from '../../src/run/policy.ts';
import { processEvent } from '../../src/run/process.ts';
import { createRegistry } from '../../src/run/registry.ts';
import { answered, bodyOf, RETRY, recordingLogger, refused } from '../support/deliver.ts';
import { gate, guardedStore, receiverWith, signedEvent } from '../support/receiver.ts';

const hashOf = (body: Uint8Array) => createHash('sha256').update(body).digest('hex');

/** Leaves an event as a queue would that gave it up: dead, with these steps. */
async function bury(store: WebhookStore, steps: readonly string[]): Promise<void> {
  const claim = await store.claim('evt_1', { leaseMs: 1000, bodyHash: hashOf(bodyOf()) });
  if (claim.status !== 'acquired') throw new Error(claim.status);
  for (const step of steps) await store.checkpoint('evt_1', claim.token, step, '');
  await store.fail('evt_1', claim.token, { dead: 'failed', error: 'x' });
}

describe('a dead event that is delivered again', () => {
  it('runs only the handlers that have not succeeded', async () => {
    const store = memoryStore();
    await bury(store, ['*#done']);
    const { webhooks, receive } = receiverWith({ store });
    const [done, failed] = [vi.fn(), vi.fn()];
    webhooks.on('*', done, { name: 'done' }).on('*', failed, { name: 'failed' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect([done.mock.calls.length, failed.mock.calls.length]).toEqual([0, 1]);
    expect(await receive()).toEqual(answered('duplicate'));
  });

  it('responds 503 when it cannot be revived or dies again', async () => {
    for (const revive of [() => Promise.reject(new Error('down')), async () => false]) {
      const store = memoryStore();
      await bury(store, []);
      const { webhooks, receive } = receiverWith({ store: { ...store, revive } });
      webhooks.on('*', () => undefined);
      const code = revive.length === 0 && (await revive().catch(() => true)) ? 'store_unavailable' : 'in_progress';
      expect(await receive()).toEqual(refused(503, code, RETRY));
    }
  });

  it('can outlast its deadline and an unavailable store without an unhandled rejection', async () => {
    const store = memoryStore();
    await bury(store, []);
    const late = gate();
    const complete = () => Promise.reject(new Error('down'));
    const { webhooks, logger, receive } = receiverWith({ store: { ...store, complete }, handlerTimeoutMs: 20 });
    webhooks.on('*', () => late.promise);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    late.open();
    await vi.waitFor(() =>
      expect(logger.lines.map(({ message }) => message)).toContain('Work behind a webhook reply failed'),
    );
  });
});

describe('concurrent copies of an event', () => {
  /** A store whose first claim is the last to arrive. */
  function overtaking(): WebhookStore {
    const store = memoryStore();
    let claims = 0;
    return {
      ...store,
      async claim(key, options) {
        if (++claims === 1) await new Promise((resolve) => setTimeout(resolve, 20));
        return store.claim(key, options);
      },
    };
  }

  it("are one run and its duplicates, in any order of the store's answers", async () => {
    const { webhooks, receive } = receiverWith({ store: overtaking() });
    const work = vi.fn(() => new Promise((resolve) => setTimeout(resolve, 40)));
    webhooks.on('*', work);
    const replies = await Promise.all([receive(), receive(), receive()]);
    expect(replies).toEqual([answered('processed', 1), answered('duplicate'), answered('duplicate')]);
    expect(work).toHaveBeenCalledTimes(1);
    expect(webhooks.metrics.getStats()).toMatchObject({ received: 1, processed: 1, duplicates: 2 });
  });

  it('share the error when the first cannot reach the store', async () => {
    const store = { ...memoryStore(), claim: () => Promise.reject(new Error('down')) };
    const { webhooks, errors, receive } = receiverWith({ store });
    webhooks.on('*', () => undefined);
    expect(await Promise.all([receive(), receive()])).toEqual(Array(2).fill(refused(503, 'store_unavailable', RETRY)));
    expect(errors).toHaveLength(2);
  });

  it('keep waiting next to a copy with a different body, which is a conflict', async () => {
    const { webhooks, receive } = receiverWith();
    const work = gate();
    webhooks.on('*', () => work.promise);
    const first = receive();
    expect(await receive({ created: 5 })).toEqual(refused(409, 'id_conflict'));
    const copy = receive();
    work.open();
    expect(await Promise.all([first, copy])).toEqual([answered('processed', 1), answered('duplicate')]);
  });

  it('share the failure of the first, which counts once', async () => {
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = gate();
    webhooks.on('*', () => work.promise);
    const replies = [receive(), receive()];
    work.fail(new Error('no'));
    expect(await Promise.all(replies)).toEqual(Array(2).fill(answered('failed', 1, 1, 500)));
    expect(webhooks.metrics.getStats()).toMatchObject({ received: 1, processed: 0, failed: 1, duplicates: 0 });
  });

  it('share the first run even while hundreds of other events pass', async () => {
    const { webhooks, receive } = receiverWith();
    const work = gate();
    webhooks.on('*', ({ id }) => (id === 'evt_long' ? work.promise : undefined));
    const first = receive({ id: 'evt_long' });
    for (let i = 0; i < 300; i++) expect(await receive({ id: `evt_${i}` })).toEqual(answered('processed', 1));
    const copy = receive({ id: 'evt_long' });
    work.open();
    expect(await Promise.all([first, copy])).toEqual([answered('processed', 1), answered('duplicate')]);
  });

  it('of tenants that use the same id do not wait for each other', async () => {
    const secret = 'one secret for both of them';
    const { webhooks, receive } = receiverWith({ secret: ({ url = '' }) => ({ secret, tenant: url }) });
    const { sign } = await import('../support/deliver.ts');
    const signature = sign(bodyOf(), secret);
    const work = gate();
    webhooks.on('*', (_, { tenant }) => (tenant === 'a' ? work.promise : undefined));
    const first = receive({}, { url: 'a', signature });
    expect(await receive({}, { url: 'b', signature })).toEqual(answered('processed', 1));
    work.open();
    expect(await first).toEqual(answered('processed', 1));
  });

  it('are left to the store after the event failed', async () => {
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    let runs = 0;
    webhooks.on('*', async () => {
      if (++runs === 1) throw new Error('no');
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
  });
});

it('stop waits for running events', async () => {
  const { webhooks, receive } = receiverWith();
  const work = gate();
  webhooks.on('*', ({ id }) => (id === 'evt_long' ? work.promise : undefined));
  expect(await receive()).toEqual(answered('processed', 1));
  const told: string[] = [];
  const running = receive({ id: 'evt_long' });
  const stopped = webhooks.stop().then(() => told.push('stopped'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  told.push('still running');
  work.open();
  expect(await running).toEqual(answered('processed', 1));
  await stopped;
  expect(told).toEqual(['still running', 'stopped']);
});

describe('a handler that outlasts its deadline', () => {
  it('is not run again when it succeeds late, while a failed one is', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 30, retry: { attempts: 1 } });
    const late = gate();
    const slow = vi.fn(() => late.promise);
    const failing = vi.fn(() => Promise.reject(new NonRetryableError('no')));
    webhooks.on('*', slow, { name: 'slow' }).on('*', failing, { name: 'failing' });
    expect(await receive()).toEqual(answered('failed', 2, 2, 500));
    late.open();
    await vi.waitFor(async () => {
      expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    });
    expect([slow.mock.calls.length, failing.mock.calls.length]).toEqual([1, 2]);
  });

  it('keeps its claim until it settles, and loses it when the lease ends first', async () => {
    const store = { ...memoryStore(), leaseMs: 150 };
    const { webhooks, errors, receive } = receiverWith({ store, handlerTimeoutMs: 20, retry: { attempts: 1 } });
    const never = gate();
    const attempts: number[] = [];
    webhooks.on('*', (_, { attempt }) => {
      attempts.push(attempt);
      return attempts.length === 1 ? never.promise : undefined;
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(await store.get('evt_1')).toMatchObject({ state: 'active', failures: 0 });
    await vi.waitFor(async () => expect(await receive()).toEqual(answered('processed', 1)), { timeout: 2000 });
    expect(attempts).toEqual([1, 2]);
    never.open();
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    expect(await store.get('evt_1')).toMatchObject({ state: 'done', attempt: 2 });
  });

  it("does not delay another handler's failure beyond its lease", async () => {
    const store = { ...memoryStore(), leaseMs: 100 };
    const { webhooks, receive } = receiverWith({ store, handlerTimeoutMs: 20, retry: { attempts: 1 } });
    webhooks.on('*', () => gate().promise, { name: 'never' });
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'failing' });
    expect(await receive()).toEqual(answered('failed', 2, 2, 500));
    await vi.waitFor(async () => expect(await store.get('evt_1')).toMatchObject({ state: 'free', failures: 1 }));
    expect((await store.get('evt_1'))?.error).toContain('failing: Error: no');
  });
});

/** What a worker of a queue runs with. */
function workerCore(store: WebhookStore) {
  const logger = recordingLogger();
  const reports: unknown[] = [];
  const registry = createRegistry({ knownTypes: new Set(['user.created']), durable: false, logger });
  const core: Core = {
    store: guardedStore(store),
    registry,
    deadlines: createDeadlines(),
    lanes: new Lanes(false),
    policy: FROM_QUEUE,
    logger,
    observer: new Observer(undefined),
    handlerTimeoutMs: 1000,
    retry: { ...QUEUED_RETRY, jitter: 'none' },
    now: Date.now,
    random: Math.random,
    running: new Set(),
    report: (error) => void reports.push(error),
  };
  const event = signedEvent();
  const job: Job = { event, tenant: undefined, key: event.id, body: bodyOf(), bodyHash: hashOf(bodyOf()) };
  return { core, registry, job, reports, logger };
}

describe('a worker', () => {
  it('keeps an event that waits for its lane, however often it looks', async () => {
    let nowMs = 0;
    const store = memoryStore({ now: () => nowMs });
    const { core, registry, job } = workerCore(store);
    const runs: number[] = [];
    registry.add(['*'], (_, { attempt }) => void runs.push(attempt), { name: 'serial', serialBy: () => 'lane' });
    const lane = await store.claim('lane\n\n*#serial\nlane', { leaseMs: 60_000, bodyHash: '' });
    for (let i = 0; i < 30; i++) {
      expect(await processEvent(core, job)).toEqual({ outcome: { status: 'in_progress', retryAfterMs: 200 } });
      nowMs += 200;
    }
    if (lane.status === 'acquired') await store.fail('lane\n\n*#serial\nlane', lane.token, {});
    expect(await processEvent(core, job)).toEqual({ outcome: { status: 'processed', ran: 1 } });
    expect(runs).toEqual([1]);
  });

  it('gives up an event that keeps crashing its process, and reports how often', async () => {
    let nowMs = 0;
    const store = memoryStore({ now: () => nowMs });
    const { core, registry, job } = workerCore(store);
    const work = vi.fn();
    registry.add(['*'], work, { name: 'work' });
    const vanish = async () => {
      const claim = await store.claim(job.key, { leaseMs: 10, bodyHash: job.bodyHash });
      nowMs += 10;
      return claim;
    };
    for (let i = 0; i < 10; i++) await vanish();
    expect(await processEvent(core, job)).toEqual({
      outcome: {
        status: 'dead',
        ran: 0,
        failures: [
          {
            handlerName: '*',
            error: new Error('Its last 10 runs ended without a word: each took its process down.'),
          },
        ],
        failuresBefore: 0,
      },
    });
    expect(work).not.toHaveBeenCalled();
    await store.revive(job.key, { steps: 'keep' });
    for (let i = 0; i < 9; i++) await vanish();
    expect(await processEvent(core, job)).toEqual({ outcome: { status: 'processed', ran: 1 } });
  });

  it('does not count failures among crashed runs', async () => {
    const store = memoryStore();
    const acquired = { status: 'acquired', token: 't', attempt: 14, claims: 14, failures: 3, steps: {} } as const;
    const { core, registry, job } = workerCore({ ...store, claim: async () => acquired, fail: async () => true });
    registry.add(['*'], () => undefined, {});
    const error = new Error('Its last 10 runs ended without a word: each took its process down.');
    expect(await processEvent(core, job)).toEqual({
      outcome: { status: 'dead', ran: 0, failures: [{ handlerName: '*', error }], failuresBefore: 3 },
    });
  });

  it('leaves no listener on its stop signal', async () => {
    const { core, registry, job } = workerCore(memoryStore());
    registry.add(['*'], () => undefined, {});
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    expect(await processEvent(core, job, signal)).toEqual({ outcome: { status: 'processed', ran: 1 } });
    expect(removed.mock.calls).toEqual(added.mock.calls);
    expect(added).toHaveBeenCalledTimes(1);
  });

  it('reports a store that is unavailable when it gives up an event', async () => {
    const store = memoryStore();
    const claim: WebhookStore['claim'] = async () => ({
      status: 'acquired',
      token: 't',
      attempt: 12,
      claims: 12,
      failures: 1,
      steps: {},
    });
    const { core, job } = workerCore({ ...store, claim, fail: () => Promise.reject(new Error('down')) });
    await expect(processEvent(core, job)).rejects.toEqual(
      new WebhookError('store_unavailable', { cause: new Error('down') }),
    );
  });

  it('takes the shortest delay of several failures, and gives up only when all attempts are spent', async () => {
    let nowMs = 0;
    const store = memoryStore({ now: () => nowMs });
    const { core, registry, job } = workerCore(store);
    const fail = () => Promise.reject(new Error('no'));
    registry.add(['*'], fail, { name: 'often', retry: { schedule: [500, 700], jitter: 'none' } });
    registry.add(['*'], fail, { name: 'once', retry: { attempts: 1 } });
    registry.add(['*'], fail, { name: 'late', retry: { schedule: [9000, 9000], attempts: 2, jitter: 'none' } });
    const outcomes: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { outcome } = await processEvent(core, job);
      const { status } = outcome;
      if (status !== 'failed' && status !== 'dead') throw new Error(status);
      const retryInMs = status === 'failed' ? outcome.retryInMs : undefined;
      outcomes.push([status, retryInMs, outcome.failuresBefore, outcome.failures.length]);
      nowMs += 10_000;
    }
    expect(outcomes).toEqual([
      ['failed', 500, 0, 3],
      ['failed', 700, 1, 3],
      ['dead', undefined, 2, 3],
    ]);
    expect(await store.get(job.key)).toMatchObject({
      state: 'dead',
      failures: 3,
      error: 'once: Earlier failure: Error: no\nlate: Earlier failure: Error: no\noften: Error: no',
    });
  });

  it('runs handlers next to a busy lane once', async () => {
    let nowMs = 0;
    const store = memoryStore({ now: () => nowMs });
    const { core, registry, job } = workerCore(store);
    const beside = vi.fn();
    registry.add(['*'], beside, { name: 'beside' });
    registry.add(['*'], () => undefined, { name: 'serial', serialBy: () => 'lane' });
    const lane = await store.claim('lane\n\n*#serial\nlane', { leaseMs: 60_000, bodyHash: '' });
    expect(await processEvent(core, job)).toEqual({ outcome: { status: 'in_progress', retryAfterMs: 200 } });
    if (lane.status === 'acquired') await store.fail('lane\n\n*#serial\nlane', lane.token, {});
    nowMs += 200;
    expect(await processEvent(core, job)).toEqual({ outcome: { status: 'processed', ran: 1 } });
    expect(beside).toHaveBeenCalledTimes(1);
  });

  it('fails a handler with a transaction when the store has none', async () => {
    const { core, registry, job } = workerCore(memoryStore());
    registry.add(['*'], () => undefined, { name: 'h', transaction: true, retry: { attempts: 1 } });
    const error = new TypeError('The store has no transactions.');
    expect(await processEvent(core, job)).toEqual({
      outcome: { status: 'dead', ran: 1, failures: [{ handlerName: 'h', error }], failuresBefore: 0 },
    });
  });

  it('counts only what ran when a handler fails next to a busy lane', async () => {
    const store = memoryStore();
    const { core, registry, job } = workerCore(store);
    const error = new Error('no');
    registry.add(['*'], () => Promise.reject(error), { name: 'fails', retry: { schedule: [500], jitter: 'none' } });
    registry.add(['*'], () => undefined, { name: 'serial', serialBy: () => 'lane' });
    await store.claim('lane\n\n*#serial\nlane', { leaseMs: 60_000, bodyHash: '' });
    expect(await processEvent(core, job)).toEqual({
      outcome: {
        status: 'failed',
        ran: 1,
        failures: [{ handlerName: 'fails', error }],
        failuresBefore: 0,
        retryInMs: 500,
      },
    });
  });

  it('reports a store to which it cannot return an event', async () => {
    const store = memoryStore();
    const { core, registry, job, reports } = workerCore({
      ...store,
      fail: (key, ...given) => (key === job.key ? Promise.reject(new Error('down')) : store.fail(key, ...given)),
    });
    const stop = new AbortController();
    const heed = (_: unknown, { signal }: { readonly signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    registry.add(['*'], heed, {});
    const running = processEvent(core, job, stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error('deploy'));
    expect(await running).toEqual({ outcome: { status: 'in_progress', retryAfterMs: 0 } });
    expect(reports).toEqual([new Error('deploy'), new WebhookError('store_unavailable', { cause: new Error('down') })]);
  });
});

describe('an event that is already done', () => {
  it.each<[string, number, Pick<WebhookReply, 'status'>]>([
    ['is not held any longer', 0, { status: 200 }],
    ['is told to the store three times at most, ever later, and not held after that', 3, { status: 503 }],
  ])('is not run again: %s', async (_, times, reply) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const store = { ...memoryStore(), leaseMs: 3000 };
    const extend = vi.spyOn(store, 'extend');
    const told: number[] = [];
    const began = performance.now();
    vi.spyOn(store, 'complete').mockImplementation(async () => {
      told.push(performance.now() - began);
      if (times > 0) throw new Error('down');
      return true;
    });
    const { webhooks, receive } = receiverWith({ store });
    webhooks.on('*', () => undefined);
    const replying = receive();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await replying).toMatchObject(reply);
    expect(told).toEqual(times === 0 ? [0] : [0, 100, 250]);
    expect(extend).not.toHaveBeenCalled();
  });
});

describe('a store that does not say whether an event is done', () => {
  const never = () => new Promise<boolean>(() => undefined);
  const down = () => Promise.reject(new Error('down'));
  it.each([
    ['is asked once, since the sender waits', [never, down, down], 1],
    ['is not asked again once it has fallen silent', [down, never, down], 2],
    ['is asked three times while it says that it could not', [down, down, down], 3],
  ])('does not make it run twice: %s', async (_, answers, times) => {
    const asked: unknown[] = [];
    const complete = () => (answers[asked.push(0) - 1] ?? down)();
    const { webhooks, receive } = receiverWith({ store: { ...memoryStore(), complete }, storeTimeoutMs: 20 });
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(refused(503, 'store_unavailable', RETRY));
    expect(asked.length).toBe(times);
  });
});

describe('a logger that throws', () => {
  it('does not affect the outcome', async () => {
    const broken = () => {
      throw new Error('broken');
    };
    const logger = { debug: broken, info: broken, warn: broken, error: broken };
    const sweep = () => Promise.reject(new Error('down'));
    const { webhooks, receive } = receiverWith({
      logger,
      retry: { attempts: 1 },
      store: { ...memoryStore(), sweep },
      waitUntil: broken,
    });
    webhooks.on('*', ({ created }) => {
      if (created === 5) throw new Error('no');
    });
    expect(await receive({ created: 5 })).toEqual(answered('failed', 1, 1, 500));
    expect(await receive({ created: 6 })).toEqual(answered('processed', 1));
    for (let i = 0; i < 1000; i++) expect((await receive({ id: `evt_${i + 2}` })).status).toBe(200);
  });
});
