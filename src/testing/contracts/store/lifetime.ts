import assert from 'node:assert/strict';
import type { WebhookStore } from '../../../index.ts';
import { claim, claimInTime, HASH, LONG_MS, OTHER_HASH, type StoreBench, type StoreCase, tryClaim } from './bench.ts';

const RETENTION_MS = 400;
const UNFINISHED = ['active', 'waiting', 'dead', 'revived'] as const;

/** How long a store remembers, and what of it outlives an instance. */
export const lifetimeCases: readonly StoreCase[] = [
  {
    name: 'a finished id is forgotten after the retention and can then be claimed again',
    async run(bench) {
      const store = await bench.open({ retentionMs: RETENTION_MS });
      assert.equal(store.retentionMs, RETENTION_MS);
      await store.complete('k', (await claim(store, 'k')).token);
      assert.deepEqual(await tryClaim(store, 'k', LONG_MS, OTHER_HASH), { status: 'conflict' });
      const {
        attempt,
        claims,
        failures,
        steps,
        bodyReplaced = false,
      } = await claimInTime({ ...bench, store }, 'k', OTHER_HASH);
      assert.deepEqual([attempt, claims, failures, { ...steps }, bodyReplaced], [1, 1, 0, {}, false]);
      assert.equal((await store.get('k'))?.bodyHash, OTHER_HASH);
    },
  },
  {
    name: 'the retention begins when an event is finished',
    async run(bench) {
      const store = await bench.open({ retentionMs: RETENTION_MS });
      const { token } = await claim(store, 'k');
      await bench.pass(RETENTION_MS * 1.5);
      assert.equal(await store.complete('k', token), true);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'done' });
    },
  },
  {
    name: 'running, waiting, dead and revived events are not forgotten',
    async run(bench) {
      const store = await bench.open({ retentionMs: RETENTION_MS });
      await bringAll(store);
      await bench.pass(RETENTION_MS * 2);
      await store.sweep(100);
      const states = await Promise.all(UNFINISHED.map(async (key) => (await store.get(key))?.state));
      assert.deepEqual(states, ['active', 'free', 'dead', 'free']);
      assert.equal((await tryClaim(store, 'waiting', LONG_MS, OTHER_HASH)).status, 'conflict');
    },
  },
  {
    name: 'an unhandled event is kept for the retention, then forgotten and swept',
    async run(bench) {
      const store = await bench.open({ retentionMs: RETENTION_MS });
      for (const key of ['k', 'swept', 'revived']) {
        assert.equal(await store.fail(key, (await claim(store, key)).token, { dead: 'unhandled' }), true);
      }
      await store.revive('revived', { steps: 'keep' });
      assert.deepEqual([(await store.get('k'))?.reason, await store.sweep(100)], ['unhandled', 0]);
      assert.equal((await claimInTime({ ...bench, store }, 'k', OTHER_HASH)).attempt, 1);
      await untilForgotten(bench, store, 'swept');
      assert.ok((await store.sweep(100)) <= 1);
      assert.equal((await store.get('revived'))?.state, 'free');
    },
  },
  {
    name: 'the claim of a dead process is forgotten after the retention and swept',
    kind: 'durable',
    async run(bench) {
      const { shortMs } = bench;
      const store = await bench.open({ retentionMs: RETENTION_MS });
      const { token } = await claim(store, 'extended', shortMs);
      await store.fail('again', (await claim(store, 'again')).token, { error: 'x' });
      for (const key of ['k', 'again']) await claim(store, key, shortMs);
      await store.extend('extended', token, LONG_MS);
      await untilForgotten(bench, store, 'k');
      await untilForgotten(bench, store, 'again');
      assert.ok((await store.sweep(100)) <= 2);
      assert.equal((await store.get('extended'))?.state, 'active');
    },
  },
  {
    name: 'sweeping deletes at most the requested number of expired events',
    async run(bench) {
      const store = await bench.open({ retentionMs: RETENTION_MS });
      await bringAll(store);
      const keys = ['done 1', 'done 2', 'done 3', 'done 4'];
      for (const key of keys) await store.complete(key, (await claim(store, key)).token);
      assert.equal(await store.sweep(100), 0);
      await untilForgotten(bench, store, keys[3] ?? '');
      const swept = [await store.sweep(1), await store.sweep(2), await store.sweep(100), await store.sweep(100)];
      // A store whose rows expire by themselves has nothing left to delete.
      assert.ok(
        swept.every((count, i) => count >= 0 && count <= ([1, 2, 4, 0][i] ?? 0)),
        String(swept),
      );
      assert.ok(swept.reduce((sum, count) => sum + count, 0) <= keys.length, String(swept));
      for (const key of keys) assert.equal(await store.get(key), undefined);
      for (const key of UNFINISHED) assert.notEqual(await store.get(key), undefined, key);
    },
  },
  {
    name: 'a namespace keeps its ids, steps and versions to itself',
    kind: 'durable',
    async run({ store, open }) {
      const other = await open({ namespace: `other_${Date.now().toString(36)}` });
      const { token } = await claim(store, 'k');
      await store.checkpoint('k', token, 'step', '1');
      await store.advance('entity', 5);
      assert.equal(await other.get('k'), undefined);
      assert.equal(await other.latest('entity'), undefined);
      assert.equal(await other.complete('k', token), false);
      const theirs = await claim(other, 'k', LONG_MS, OTHER_HASH);
      assert.deepEqual([theirs.attempt, { ...theirs.steps }], [1, {}]);
      assert.equal(await store.complete('k', token), true);
      assert.equal(await other.advance('entity', 1), true);
      assert.equal(await store.latest('entity'), 5);
    },
  },
  {
    name: 'its contents survive closing and reopening',
    kind: 'durable',
    async run({ open, close }) {
      const first = await open();
      await first.complete('done', (await claim(first, 'done')).token);
      const running = await claim(first, 'running');
      await first.checkpoint('running', running.token, 'step', '1');
      await first.advance('entity', 5);
      await close(first);
      const second = await open();
      assert.deepEqual(await tryClaim(second, 'done'), { status: 'done' });
      const row = await second.get('running');
      assert.deepEqual([row?.state, row?.bodyHash, { ...row?.steps }], ['active', HASH, { step: '1' }]);
      assert.equal(await second.latest('entity'), 5);
      assert.equal(await second.complete('running', running.token), true);
    },
  },
  {
    name: 'each key is acquired by one of two instances, and each accepts the tokens of the other',
    kind: 'shared',
    async run({ store, open }) {
      const other = await open();
      for (let i = 0; i < 10; i++) {
        const racers = Array.from({ length: 10 }, (_, n) => tryClaim(n % 2 ? store : other, `k${i}`));
        const acquired = (await Promise.all(racers)).filter(({ status }) => status === 'acquired');
        assert.equal(acquired.length, 1);
      }
      const { token } = await claim(store, 'k');
      assert.equal(await other.extend('k', token, LONG_MS), true);
      assert.equal(await other.checkpoint('k', token, 'step', '1'), 'saved');
      assert.equal(await store.checkpoint('k', token, 'step', '2'), 'exists');
      assert.equal(await other.complete('k', token), true);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'done' });
    },
  },
];

async function bringAll(store: WebhookStore): Promise<void> {
  await claim(store, 'active');
  await store.fail('waiting', (await claim(store, 'waiting')).token, { error: 'x', retryInMs: 1 });
  for (const key of ['dead', 'revived'])
    await store.fail(key, (await claim(store, key)).token, { error: 'x', dead: 'failed' });
  await store.revive('revived', { steps: 'keep' });
}

async function untilForgotten({ until }: StoreBench, store: WebhookStore, key: string): Promise<void> {
  await until(`${key} to be forgotten`, async () => ((await store.get(key)) === undefined ? true : undefined));
}
