import { type MemoryStoreOptions, memoryStore, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { recordingLogger } from '../support/deliver.ts';
import { agreesWithModel } from './model.ts';

function open(options: MemoryStoreOptions = {}) {
  let nowMs = 1_000_000;
  const logger = recordingLogger();
  const store = memoryStore({ now: () => nowMs, logger, retentionMs: 1000, ...options });
  return {
    store,
    logger,
    wait(ms: number) {
      nowMs += ms;
    },
  };
}

async function acquire(store: WebhookStore, key = 'k', bodyHash = 'h', leaseMs = 100) {
  const claim = await store.claim(key, { leaseMs, bodyHash });
  if (claim.status !== 'acquired') throw new Error(`not acquired but ${claim.status}`);
  return claim;
}

describe('memoryStore', () => {
  it('gives a key to one of many concurrent claims', async () => {
    const { store } = open();
    const claims = await Promise.all(
      Array.from({ length: 50 }, () => store.claim('k', { leaseMs: 100, bodyHash: 'h' })),
    );
    expect(claims.filter(({ status }) => status === 'acquired')).toEqual([
      { status: 'acquired', token: '1', attempt: 1, claims: 1, failures: 0, steps: {} },
    ]);
    expect(claims.filter(({ status }) => status === 'busy')).toEqual(
      Array(49).fill({ status: 'busy', retryAfterMs: 100 }),
    );
  });

  it('lets another worker take over an expired lease and ignores the first one afterwards', async () => {
    const { store, wait } = open();
    const zombie = await acquire(store);
    wait(100);
    expect(await store.extend('k', zombie.token, 50)).toBe(true);
    expect((await store.claim('k', { leaseMs: 100, bodyHash: 'h' })).status).toBe('busy');
    wait(50);
    const winner = await acquire(store);
    expect(winner).toMatchObject({ attempt: 2, claims: 2, failures: 0 });
    expect([
      await store.extend('k', zombie.token, 100),
      await store.checkpoint('k', zombie.token, 's', '1'),
      await store.complete('k', zombie.token),
      await store.fail('k', zombie.token, { error: 'x' }),
    ]).toEqual([false, 'lost', false, false]);
    expect(await store.complete('k', winner.token)).toBe(true);
    expect(await store.complete('k', winner.token)).toBe(true);
    expect(await store.complete('k', zombie.token)).toBe(false);
  });

  it('keeps steps across failures, with the first write of each', async () => {
    const { store } = open();
    const first = await acquire(store);
    expect(await store.checkpoint('k', first.token, '__proto__', 'a')).toBe('saved');
    expect(await store.checkpoint('k', first.token, 'toString', 'b')).toBe('saved');
    expect(await store.checkpoint('k', first.token, 'toString', 'c')).toBe('exists');
    await store.fail('k', first.token, { error: 'no' });
    const { steps } = await acquire(store);
    expect(Object.entries(steps)).toEqual([
      ['__proto__', 'a'],
      ['toString', 'b'],
    ]);
  });

  it('counts claims and failures but not releases, and resets both on a revival', async () => {
    const { store, wait } = open();
    for (const options of [
      { error: 'no' },
      {},
      { error: 'no', retryInMs: 10 },
      { error: 'no', dead: 'failed' },
    ] as const) {
      await store.fail('k', (await acquire(store)).token, options);
      wait(10);
    }
    expect(await store.get('k')).toEqual({
      state: 'dead',
      attempt: 4,
      claims: 3,
      failures: 3,
      bodyHash: 'h',
      error: 'no',
      reason: 'failed',
      steps: {},
    });
    expect(await store.claim('k', { leaseMs: 100, bodyHash: 'h' })).toEqual({ status: 'dead', failures: 3 });
    expect(await store.revive('k', { steps: 'keep' })).toBe(true);
    expect(await store.revive('k', { steps: 'keep' })).toBe(false);
    expect(await acquire(store)).toMatchObject({ attempt: 5, claims: 1, failures: 0 });
  });

  it('keeps or clears the steps of a revived event', async () => {
    for (const steps of ['keep', 'clear'] as const) {
      const { store } = open();
      const claim = await acquire(store);
      await store.checkpoint('k', claim.token, 's', '1');
      await store.fail('k', claim.token, { dead: 'failed', error: 'x' });
      await store.revive('k', { steps });
      expect({ ...(await acquire(store)).steps }).toEqual(steps === 'keep' ? { s: '1' } : {});
    }
  });

  it('reports a different body as a conflict unless the event has failed and is unclaimed', async () => {
    const { store, wait } = open();
    const other = () => store.claim('k', { leaseMs: 100, bodyHash: 'other' });
    const active = await acquire(store);
    await store.checkpoint('k', active.token, 's', '1');
    expect(await other()).toEqual({ status: 'conflict' });
    await store.fail('k', active.token, { error: 'x', retryInMs: 10 });
    expect(await other()).toEqual({ status: 'conflict' });
    wait(10);
    await store.fail('k', (await acquire(store)).token, { error: 'x' });
    expect(await other()).toMatchObject({ status: 'acquired', attempt: 3, bodyReplaced: true, steps: {} });
    wait(100);
    const { token } = await acquire(store, 'k', 'other');
    await store.complete('k', token);
    expect((await store.claim('k', { leaseMs: 100, bodyHash: 'h' })).status).toBe('conflict');
    expect(await other()).toEqual({ status: 'done' });
  });

  it('forgets finished and failed events after the retention, and never dead or waiting ones', async () => {
    const { store, wait } = open();
    await store.complete('done', (await acquire(store, 'done')).token);
    await store.fail('failed', (await acquire(store, 'failed')).token, { error: 'x' });
    await store.fail('waiting', (await acquire(store, 'waiting')).token, { error: 'x', retryInMs: 1 });
    await store.fail('dead', (await acquire(store, 'dead')).token, { error: 'x', dead: 'failed' });
    wait(999);
    expect(await store.sweep(10)).toBe(0);
    wait(1);
    expect([await store.sweep(1), await store.sweep(10), await store.sweep(10)]).toEqual([1, 1, 0]);
    const states = await Promise.all(
      ['done', 'failed', 'waiting', 'dead'].map(async (key) => (await store.get(key))?.state),
    );
    expect(states).toEqual([undefined, undefined, 'free', 'dead']);
  });

  it('forgets the oldest finished id when full with one warning, and rejects when none is finished', async () => {
    const { store, logger } = open({ maxEntries: 3 });
    for (const key of ['a', 'b', 'c', 'd', 'e']) await store.complete(key, (await acquire(store, key)).token);
    expect([await store.get('a'), await store.get('b'), (await store.get('c'))?.state]).toEqual([
      undefined,
      undefined,
      'done',
    ]);
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        fields: { maxEntries: 3 },
        message: 'memoryStore is full and forgets events before their time',
      },
    ]);
    for (const key of ['x', 'y', 'z']) await acquire(store, key);
    await expect(store.claim('more', { leaseMs: 100, bodyHash: 'h' })).rejects.toThrow(/holds its limit of 3 events/);
  });

  it('forgets expired ids first when full, without a warning', async () => {
    const { store, logger, wait } = open({ maxEntries: 2 });
    for (const key of ['a', 'b']) {
      await store.complete(key, (await acquire(store, key)).token);
      wait(500);
    }
    await acquire(store, 'c');
    expect([await store.get('a'), (await store.get('b'))?.state, logger.lines]).toEqual([undefined, 'done', []]);
  });

  it('takes an id as a new one once its retention has passed, and not before', async () => {
    const { store, wait } = open();
    await store.complete('k', (await acquire(store)).token);
    wait(999);
    expect([(await store.get('k'))?.state, (await store.claim('k', { leaseMs: 100, bodyHash: 'h' })).status]).toEqual([
      'done',
      'done',
    ]);
    wait(1);
    expect(await store.get('k')).toBeUndefined();
    expect(await acquire(store)).toMatchObject({ attempt: 1, claims: 1, failures: 0 });
  });

  it('never forgets a dead or a waiting event to make room', async () => {
    const { store } = open({ maxEntries: 2 });
    await store.fail('dead', (await acquire(store, 'dead')).token, { error: 'x', dead: 'failed' });
    await store.fail('waiting', (await acquire(store, 'waiting')).token, { error: 'x', retryInMs: 1 });
    await expect(store.claim('new', { leaseMs: 100, bodyHash: 'h' })).rejects.toThrow(/holds its limit of 2 events/);
    expect([(await store.get('dead'))?.state, (await store.get('waiting'))?.state]).toEqual(['dead', 'free']);
  });

  it('sweeps no more than its limit of finished and failed events together', async () => {
    const { store, wait } = open();
    for (const key of ['a', 'b', 'c']) await store.complete(key, (await acquire(store, key)).token);
    for (const key of ['x', 'y']) await store.fail(key, (await acquire(store, key)).token, { error: 'x' });
    wait(1000);
    expect([await store.sweep(2), await store.sweep(2), await store.sweep(2)]).toEqual([2, 2, 1]);
  });

  it('rejects new events instead of forgetting early when maxAgeSeconds relies on it', async () => {
    const { store, wait } = open({ maxEntries: 2 });
    store.requireRetention?.(1000);
    for (const key of ['a', 'b']) await store.complete(key, (await acquire(store, key)).token);
    await expect(store.claim('c', { leaseMs: 100, bodyHash: 'h' })).rejects.toThrow(/holds its limit/);
    wait(1000);
    expect((await acquire(store, 'c')).attempt).toBe(1);
  });

  it('forgets an unclaimed failed event before a younger finished one', async () => {
    for (const requiredMs of [0, 1000]) {
      const { store, wait } = open({ maxEntries: 3 });
      store.requireRetention?.(requiredMs);
      await store.fail('failed', (await acquire(store, 'failed')).token, { error: 'x' });
      wait(1);
      await store.complete('done', (await acquire(store, 'done')).token);
      await store.fail('waiting', (await acquire(store, 'waiting')).token, { error: 'x', retryInMs: 1 });
      await acquire(store, 'new');
      const states = ['failed', 'done', 'waiting', 'new'].map(async (key) => (await store.get(key))?.state);
      expect(await Promise.all(states)).toEqual([undefined, 'done', 'free', 'active']);
    }
  });

  it('forgets a finished event before a failed one that is younger', async () => {
    const { store, wait } = open({ maxEntries: 2 });
    await store.complete('done', (await acquire(store, 'done')).token);
    wait(1);
    await store.fail('failed', (await acquire(store, 'failed')).token, { error: 'x' });
    await acquire(store, 'new');
    const states = ['done', 'failed', 'new'].map(async (key) => (await store.get(key))?.state);
    expect(await Promise.all(states)).toEqual([undefined, 'free', 'active']);
  });

  it('rejects a limit or a retention that is no number above 0', () => {
    expect(() => open({ maxEntries: 0 })).toThrow(new TypeError('`maxEntries` must be a number above 0.'));
    expect(() => open({ retentionMs: -1 })).toThrow(new TypeError('`retentionMs` must be a number above 0.'));
  });

  it('accepts new events after an outage filled it with failed ones', async () => {
    const { store } = open({ maxEntries: 1000 });
    for (let n = 0; n < 1000; n++) await store.fail(`k${n}`, (await acquire(store, `k${n}`)).token, { error: 'down' });
    for (let n = 0; n < 1000; n++) await store.complete(`n${n}`, (await acquire(store, `n${n}`)).token);
    expect([await store.get('k999'), (await store.get('n0'))?.state]).toEqual([undefined, 'done']);
  });

  it('forgets a finished id once maxAgeSeconds no longer relies on it', async () => {
    const { store, wait } = open({ maxEntries: 2, retentionMs: 1000 });
    store.requireRetention?.(600);
    for (const key of ['a', 'b']) await store.complete(key, (await acquire(store, key)).token);
    wait(599);
    await expect(store.claim('c', { leaseMs: 100, bodyHash: 'h' })).rejects.toThrow(/holds its limit/);
    wait(1);
    await acquire(store, 'c');
    expect([await store.get('a'), (await store.get('b'))?.state]).toEqual([undefined, 'done']);
  });

  it('measures elapsed time when the wall clock is set', async () => {
    const store = memoryStore({ retentionMs: 60_000 });
    await store.fail('failed', (await acquire(store, 'failed')).token, { error: 'x' });
    await acquire(store, 'leased', 'h', 60_000);
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    for (const stepMs of [-3_600_000, 3_600_000]) {
      vi.setSystemTime(Date.now() + stepMs);
      expect((await store.claim('leased', { leaseMs: 100, bodyHash: 'h' })).status).toBe('busy');
      await store.fail('failed', (await acquire(store, 'failed')).token, { error: 'x' });
    }
  });

  it('remembers the newest version of a limited number of entities', async () => {
    const { store } = open({ maxEntries: 2 });
    expect([await store.advance('a', 5), await store.advance('a', 5), await store.advance('a', 4)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await store.latest('a')).toBe(5);
    await store.advance('b', 1);
    await store.advance('c', 1);
    expect([await store.latest('a'), await store.latest('b')]).toEqual([undefined, 1]);
    await store.close();
  });

  it('keeps a revived event beyond the time when its first run would be forgotten', async () => {
    const { store, wait } = open();
    await store.complete('k', (await acquire(store)).token);
    await store.revive('k', { steps: 'keep' });
    wait(1000);
    expect([await store.sweep(10), await store.get('k')]).toEqual([
      0,
      { state: 'free', attempt: 1, claims: 0, failures: 0, bodyHash: 'h', error: undefined, steps: {} },
    ]);
  });

  it('agrees with the model of a store over any history', async () => {
    await agreesWithModel(() => open());
  });
});
