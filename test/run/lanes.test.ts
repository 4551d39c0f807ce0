import { setTimeout as delay } from 'node:timers/promises';
import { memoryStore, WebhookHandler, type WebhookQueue } from '@pathfinder/webhooks';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Lanes, type Place } from '../../src/run/lanes.ts';
import { answered, bodyOf, deliveryOf, recordingLogger, SECRET } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';
import { databaseFolder } from '../support/sqlite.ts';

const folder = databaseFolder();
const FOREVER = Number.POSITIVE_INFINITY;
const never = new AbortController().signal;

function placeIn(lanes: Lanes, key = 'lane', bytes = 1): Place {
  const place = lanes.enter(key, bytes, 'some');
  if (typeof place === 'number') throw new Error(`sent away for ${place} ms`);
  return place;
}

describe('the queue of a lane', () => {
  it('grants turns in order of arrival, and other lanes at once', async () => {
    const lanes = new Lanes(false);
    const places = [placeIn(lanes), placeIn(lanes), placeIn(lanes)];
    const turns: number[] = [];
    const waits = places.map((place, i) => place.turn(never, FOREVER).then((called) => called && turns.push(i)));
    expect([places.map(({ isFirst }) => isFirst), placeIn(lanes, 'other').isFirst]).toEqual([
      [true, false, false],
      true,
    ]);
    for (const place of places) {
      await delay(1);
      place.leave();
      place.leave();
    }
    await Promise.all(waits);
    expect([turns, placeIn(lanes).isFirst]).toEqual([[0, 1, 2], true]);
  });

  it('moves up when a waiting event is stopped or times out', async () => {
    const lanes = new Lanes(false);
    const [first, stopped, late, last] = [placeIn(lanes), placeIn(lanes), placeIn(lanes), placeIn(lanes)];
    const stop = new AbortController();
    const waits = [stopped.turn(stop.signal, FOREVER), late.turn(never, 1)];
    stop.abort();
    expect(await Promise.all(waits)).toEqual([false, false]);
    expect(await stopped.turn(stop.signal, FOREVER)).toBe(false);
    stopped.leave();
    late.leave();
    const called = last.turn(never, FOREVER);
    first.leave();
    expect(await called).toBe(true);
  });

  it('rejects events without room, with a retry after half the time of those ahead and at least 200 ms', () => {
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers();
    const lanes = new Lanes(false);
    const places = Array.from({ length: 60 }, () => placeIn(lanes));
    const sendAway = () => Number(lanes.enter('lane', 1, 'never'));
    expect([sendAway(), sendAway()]).toEqual([200, 200]);
    for (const place of places.slice(0, 40)) {
      vi.advanceTimersByTime(80);
      place.leave();
    }
    const [first, second, third] = [sendAway(), sendAway(), sendAway()];
    expect(first).toBeGreaterThan(750);
    expect(first).toBeLessThanOrEqual(800);
    expect([Math.round(second - first), Math.round(third - second)]).toEqual([40, 40]);
    expect(typeof lanes.enter('free', 1, 'never')).toBe('object');
  });

  it('holds at most a thousand events or sixteen megabytes over all lanes', () => {
    const lanes = new Lanes(false);
    // Events with a lane to themselves have waited for nothing, and count for nothing.
    for (const key of ['c', 'd']) placeIn(lanes, key).leave();
    for (const key of ['a', 'b']) placeIn(lanes, key);
    const [last] = Array.from({ length: 1000 }, (_, i) => placeIn(lanes, i % 2 ? 'a' : 'b')).reverse();
    expect(lanes.enter('a', 1, 'some')).toBe(200);
    last?.leave();
    expect(typeof lanes.enter('a', 1, 'some')).toBe('object');
    expect([lanes.enter('b', 1, 'some'), typeof lanes.enter('b', 1, 'always')]).toEqual([200, 'object']);
    const big = new Lanes(false);
    // The first one runs, and does not wait.
    const places = Array.from({ length: 17 }, () => placeIn(big, 'a', 1024 * 1024));
    expect([big.enter('a', 1024 * 1024, 'some'), big.enter('a', 0, 'some')]).toEqual([200, expect.anything()]);
    places[3]?.leave();
    expect(typeof big.enter('a', 1024 * 1024, 'some')).toBe('object');
  });

  it('yields to other processes after a second of use', async () => {
    onTestFinished(() => void vi.useRealTimers());
    for (const [shared, waitMs] of [
      [false, 0],
      [true, 75],
    ] as const) {
      vi.useFakeTimers();
      const lanes = new Lanes(shared);
      const places = [placeIn(lanes), placeIn(lanes), placeIn(lanes)];
      const calledAtMs = places.map((place) => place.turn(never, FOREVER).then(() => performance.now()));
      const startMs = performance.now();
      await vi.advanceTimersByTimeAsync(0);
      vi.advanceTimersByTime(1001);
      places[0]?.leave();
      await vi.advanceTimersByTimeAsync(100);
      places[1]?.leave();
      await vi.advanceTimersByTimeAsync(100);
      expect((await Promise.all(calledAtMs)).map((ms) => ms - startMs)).toEqual([0, 1001 + waitMs, 1101]);
      vi.useRealTimers();
    }
  });

  it('yields even when the event that would be next gives its place up meanwhile', () => {
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers();
    const lanes = new Lanes(true);
    const [first, next] = [placeIn(lanes), placeIn(lanes)];
    vi.advanceTimersByTime(1001);
    first.leave();
    next.leave();
    expect(() => vi.advanceTimersByTime(75)).not.toThrow();
    expect(placeIn(lanes).isFirst).toBe(true);
  });

  it('takes no event that gives up behind the first for one that was done', () => {
    onTestFinished(() => void vi.useRealTimers());
    const retriesAfter = (givesUp: boolean) => {
      vi.useFakeTimers();
      const lanes = new Lanes(false);
      const places = Array.from({ length: givesUp ? 60 : 52 }, () => placeIn(lanes));
      for (const place of places.slice(0, 8)) {
        vi.advanceTimersByTime(200);
        if (givesUp) places.pop()?.leave();
        vi.advanceTimersByTime(200);
        place.leave();
      }
      return Math.round(Number(lanes.enter('lane', 1, 'never')));
    };
    expect(retriesAfter(true)).toBe(retriesAfter(false));
  });
});

function workerOn(queue: WebhookQueue, more = {}) {
  const logger = recordingLogger();
  const webhooks = new WebhookHandler({ secret: SECRET, queue, logger, ...more });
  const receive = (id: string, overrides = {}) => webhooks.receive(deliveryOf(bodyOf({ id, ...overrides })));
  return { webhooks, receive, logger };
}

describe('a busy lane', () => {
  it('does not exceed the deadlines of waiting events', async () => {
    const queue = memoryQueue({ allowVolatile: true });
    const { webhooks, receive, logger } = workerOn(queue);
    const slow = () => delay(20);
    webhooks.on('*', slow, { serialBy: () => 'hot', timeoutMs: 100 });
    for (let i = 0; i < 12; i++) await receive(`evt_${i}`);
    expect(await webhooks.drain({ maxMs: 60_000 })).toBe(12);
    expect([await queue.stats(), logger.lines]).toMatchObject([{ dead: 0, delayed: 0, ready: 0 }, []]);
  });

  it("is drained next to other events beyond the drain's concurrency", async () => {
    const { webhooks, receive } = workerOn(memoryQueue({ allowVolatile: true }));
    const { promise, open } = gate();
    const seen: string[] = [];
    const note = ({ id }: { readonly id: string }) => void seen.push(id);
    webhooks.on('user.created', (event) => promise.then(() => note(event)), { serialBy: () => 'hot' });
    webhooks.on('auth.login', (event) => {
      note(event);
      open();
    });
    const ids = Array.from({ length: 30 }, (_, i) => `evt_${i}`);
    for (const id of ids) await receive(id);
    await receive('evt_other', { type: 'auth.login' });
    expect(await webhooks.drain({ maxMs: 60_000 })).toBe(31);
    expect(seen).toEqual(['evt_other', ...ids]);
  });

  it('returns waiting events without counting an attempt when the workers are stopped', async () => {
    const queue = memoryQueue({ allowVolatile: true });
    const { webhooks, receive } = workerOn(queue);
    const { promise, open } = gate();
    const seen: string[] = [];
    webhooks.on('*', ({ id }) => promise.then(() => seen.push(id)), { serialBy: () => 'hot' });
    for (const id of ['evt_1', 'evt_2', 'evt_3']) await receive(id);
    await webhooks.start();
    await vi.waitFor(async () => expect((await queue.stats()).active).toBe(3));
    const stopped = webhooks.stop({ timeoutMs: 10_000 });
    await vi.waitFor(async () => expect(await queue.stats()).toMatchObject({ active: 1, ready: 2 }));
    expect(await queue.store.get('evt_2')).toMatchObject({ state: 'free', claims: 0, failures: 0 });
    open();
    await stopped;
    expect(seen).toEqual(['evt_1']);
  });

  it('returns waiting events even when all slots of workers and a drain are taken', async () => {
    for (const begin of ['start', 'drain'] as const) {
      const queue = memoryQueue({ allowVolatile: true });
      const { webhooks, receive } = workerOn(queue);
      const { promise, open } = gate();
      webhooks.on('user.created', () => promise, { serialBy: () => 'hot' });
      webhooks.on('auth.login', () => promise);
      for (const id of ['evt_1', 'evt_2', 'evt_3']) await receive(id);
      for (let i = 0; i < 10; i++) await receive(`evt_other_${i}`, { type: 'auth.login' });
      const working = begin === 'start' ? webhooks.start() : webhooks.drain({ maxMs: 60_000 });
      await vi.waitFor(async () => expect(await queue.stats()).toMatchObject({ active: 12, ready: 1 }));
      const stopped = webhooks.stop({ timeoutMs: 10_000 });
      await vi.waitFor(async () => expect(await queue.stats()).toMatchObject({ active: 10, ready: 3 }));
      expect(await queue.store.get('evt_2')).toMatchObject({ state: 'free', claims: 0, failures: 0 });
      open();
      await Promise.all([stopped, working]);
    }
  });

  it('frees the slot of an event whose other handler has ended, and takes it again', async () => {
    const { webhooks, receive } = workerOn(memoryQueue({ allowVolatile: true }));
    let running = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++running);
      await delay(2);
      running--;
    };
    webhooks.on('user.created', run, { serialBy: () => 'hot', name: 'serial' });
    webhooks.on('user.created', () => undefined, { name: 'quick' });
    webhooks.on('auth.login', run);
    for (let i = 0; i < 20; i++) await receive(`evt_${i}`, i % 2 ? { type: 'auth.login' } : {});
    await webhooks.start({ concurrency: 2 });
    await vi.waitFor(() => expect(webhooks.metrics.getStats().processed).toBe(20));
    await webhooks.stop();
    expect(most).toBeLessThanOrEqual(2);
  });

  it('is shared by two processes without running two events at once or claiming one twice', async () => {
    const file = folder.file('shared.db');
    const queues = [sqliteQueue(file, { pollMs: 10 }), sqliteQueue(file, { pollMs: 10 })];
    const runs: string[] = [];
    let running = 0;
    let most = 0;
    const workers = queues.map((queue, i) => {
      const worker = workerOn(queue);
      worker.webhooks.on(
        '*',
        async function serial() {
          most = Math.max(most, ++running);
          await delay(15);
          runs.push(`worker ${i}`);
          running--;
        },
        { serialBy: () => 'hot' },
      );
      return worker;
    });
    const ids = Array.from({ length: 180 }, (_, i) => `evt_${i}`);
    for (const id of ids) await workers[0]?.receive(id);
    await Promise.all(workers.map(({ webhooks }) => webhooks.start({ concurrency: 5 })));
    await vi.waitFor(() => expect(runs).toHaveLength(ids.length), { timeout: 30_000 });
    await Promise.all(workers.map(({ webhooks }) => webhooks.stop()));
    const attempts = await Promise.all(ids.map(async (id) => (await queues[0]?.store.get(id))?.attempt));
    expect([most, Math.max(...attempts.map(Number))]).toEqual([1, 1]);
    const lastOf = (name: string) => runs.lastIndexOf(name);
    for (const name of ['worker 0', 'worker 1']) expect(lastOf(name)).toBeGreaterThan(runs.indexOf(name));
    expect(runs.indexOf('worker 1') < lastOf('worker 0') && runs.indexOf('worker 0') < lastOf('worker 1')).toBe(true);
    await Promise.all(queues.map((queue) => queue.close?.()));
  }, 60_000);

  it('is held by a hanging handler only for its lease, in a worker and in a request', async () => {
    const hangs = new Promise<void>(() => undefined);
    const work = ({ id }: { readonly id: string }) => (id === 'evt_hangs' ? hangs : undefined);
    const options = { serialBy: () => 'hot', timeoutMs: 50 };
    const queue = memoryQueue({ allowVolatile: true, leaseMs: 300 });
    const worker = workerOn(queue, { retry: { attempts: 1 } });
    worker.webhooks.on('*', work, options);
    for (const id of ['evt_hangs', 'evt_1', 'evt_2']) await worker.receive(id);
    await worker.webhooks.start();
    await vi.waitFor(async () => expect(await queue.stats()).toMatchObject({ ready: 0, active: 0, dead: 1 }));
    await worker.webhooks.stop({ timeoutMs: 10 });
    const store = { ...memoryStore(), leaseMs: 300 };
    const { webhooks, receive } = receiverWith({ store, retry: { attempts: 1 } });
    webhooks.on('*', work, { ...options, timeoutMs: 600 });
    const replies = ['evt_hangs', 'evt_1'].map((id) => receive({ id }));
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([500, 503]);
    await vi.waitFor(async () => expect(await receive({ id: 'evt_1' })).toEqual(answered('processed', 1)));
  });

  it('makes requests wait in order, and responds 503 in time when the turn does not come', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 300 });
    const { promise, open } = gate();
    const seen: string[] = [];
    webhooks.on('*', ({ id }) => promise.then(() => seen.push(id)), { serialBy: () => 'hot', name: 'serial' });
    const replies = ['evt_1', 'evt_2', 'evt_3'].map((id) => receive({ id }));
    await delay(20);
    open();
    expect(await Promise.all(replies)).toEqual([1, 2, 3].map(() => answered('processed', 1)));
    expect(seen).toEqual(['evt_1', 'evt_2', 'evt_3']);
  });
});
