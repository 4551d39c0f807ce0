import assert from 'node:assert/strict';
import type { FailOptions, WebhookStore } from '../../../index.ts';
import { claim, claimInTime, HASH, LONG_MS, OTHER_HASH, type StoreCase, tryClaim } from './bench.ts';

/** How a claim ends, and what comes after it. */
export const outcomeCases: readonly StoreCase[] = [
  {
    name: 'only the owner of a claim can complete it, and completing again succeeds',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      assert.equal(await store.complete('k', `${token}x`), false);
      assert.equal((await store.get('k'))?.state, 'active');
      const answers = await Promise.all([store.complete('k', token), store.complete('k', token)]);
      assert.deepEqual([...answers, await store.complete('k', token)], [true, true, true]);
      assert.equal(await store.complete('k', `${token}x`), false);
      assert.equal((await store.get('k'))?.state, 'done');
    },
  },
  {
    name: 'a token changes nothing after completing',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      await store.complete('k', token);
      assert.equal(await store.extend('k', token, LONG_MS), false);
      assert.equal(await store.checkpoint('k', token, 'step', '1'), 'lost');
      assert.equal(await store.fail('k', token, { error: 'x' }), false);
      assert.equal(await store.fail('k', token, { error: 'x', dead: 'failed' }), false);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'done' });
    },
  },
  {
    name: 'a failure frees the key at once and is counted and stored',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      assert.equal(await store.fail('k', token, { error: 'welcome: CRM is down\ncaused by \u{1f511} "\'' }), true);
      const row = await store.get('k');
      assert.deepEqual(
        [row?.state, row?.failures, row?.error],
        ['free', 1, 'welcome: CRM is down\ncaused by \u{1f511} "\''],
      );
      assert.equal(await store.fail('k', token, { error: 'x' }), false);
      assert.equal(await store.extend('k', token, LONG_MS), false);
      assert.equal(await store.complete('k', token), false);
      const { failures, attempt, claims } = await claim(store, 'k');
      assert.deepEqual({ failures, attempt, claims }, { failures: 1, attempt: 2, claims: 2 });
    },
  },
  {
    name: 'an error of any length can be kept',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      const error = '\u00e9\n'.repeat(5000);
      assert.equal(await store.fail('k', token, { error }), true);
      assert.ok(error.startsWith((await store.get('k'))?.error?.slice(0, 100) ?? 'nothing'));
    },
  },
  {
    name: 'only its owner can forget a claim, which then leaves nothing behind',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      assert.equal(await store.fail('k', `${token}x`, { forget: true }), false);
      assert.equal((await store.get('k'))?.state, 'active');
      assert.equal(await store.fail('k', token, { forget: true }), true);
      assert.equal(await store.get('k'), undefined);
      assert.equal(await store.fail('k', token, { forget: true }), false);
      assert.equal(await store.complete('k', token), false);
      const next = await claim(store, 'k', LONG_MS, OTHER_HASH);
      assert.deepEqual([next.attempt, next.claims, next.failures], [1, 1, 0]);
      assert.equal(await store.fail('k', token, { forget: true }), false);
      assert.equal((await store.get('k'))?.state, 'active');
    },
  },
  {
    name: 'a released claim counts neither as a claim nor as a failure',
    async run(bench) {
      const { store } = bench;
      for (let attempt = 1; attempt <= 15; attempt++) {
        const given = await claimInTime(bench, 'k');
        assert.deepEqual([given.attempt, given.claims, given.failures], [attempt, 1, 0]);
        assert.equal(await store.fail('k', given.token, attempt % 2 ? {} : { retryInMs: 1 }), true);
      }
      const row = await store.get('k');
      assert.deepEqual([row?.state, row?.claims, row?.failures, row?.error], ['free', 0, 0, undefined]);
    },
  },
  {
    name: 'claims and failures are counted separately, so that crashes show',
    async run(bench) {
      const { store, shortMs } = bench;
      await store.fail('k', (await claim(store, 'k')).token, { error: 'x' });
      await claim(store, 'k', shortMs);
      const { attempt, claims, failures, token } = await claimInTime(bench, 'k');
      assert.deepEqual({ attempt, claims, failures }, { attempt: 3, claims: 3, failures: 1 });
      await store.fail('k', token, { error: 'x', retryInMs: 1 });
      const last = await claimInTime(bench, 'k');
      assert.deepEqual([last.attempt, last.claims, last.failures], [4, 4, 2]);
    },
  },
  {
    name: 'a waiting event is busy until its time and then free',
    async run(bench) {
      const { store, shortMs } = bench;
      await store.fail('k', (await claim(store, 'k')).token, { error: 'x', retryInMs: LONG_MS });
      const busy = await tryClaim(store, 'k');
      assert.ok(busy.status === 'busy' && busy.retryAfterMs > 0 && busy.retryAfterMs <= LONG_MS);
      await store.fail('k2', (await claim(store, 'k2')).token, { error: 'x', retryInMs: shortMs });
      assert.equal((await claimInTime(bench, 'k2')).attempt, 2);
    },
  },
  {
    name: 'a dead event is dead until it is revived',
    async run({ store }) {
      await store.fail('k', (await claim(store, 'k')).token, { error: 'x' });
      assert.equal(await store.fail('k', (await claim(store, 'k')).token, { dead: 'failed', error: 'last' }), true);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'dead', failures: 2 });
      const row = await store.get('k');
      assert.deepEqual([row?.state, row?.error, row?.reason], ['dead', 'last', 'failed']);
      assert.equal(await store.revive('k', { steps: 'keep' }), true);
      const revived = await store.get('k');
      assert.deepEqual([revived?.state, revived?.reason], ['free', undefined]);
      const { attempt, claims, failures } = await claim(store, 'k');
      assert.deepEqual({ attempt, claims, failures }, { attempt: 3, claims: 1, failures: 0 });
    },
  },
  {
    name: 'a dead event has its reason',
    async run({ store }) {
      for (const dead of ['failed', 'poison'] as const) {
        await store.fail(dead, (await claim(store, dead)).token, { dead, error: 'x' });
        const row = await store.get(dead);
        assert.deepEqual([row?.state, row?.reason, row?.claims, row?.failures], ['dead', dead, 1, 1]);
      }
      await store.fail('k', (await claim(store, 'k')).token, { dead: 'unhandled' });
      const row = await store.get('k');
      assert.deepEqual([row?.state, row?.reason, row?.claims, row?.failures], ['dead', 'unhandled', 0, 0]);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'dead', failures: 0 });
    },
  },
  {
    name: 'an error message of any length is stored unchanged',
    async run({ store }) {
      const error = `TypeError: "quoted" 'single' \u2028 \u{1f511}\ncaused by ${'x'.repeat(3000)} end`;
      await store.fail('k', (await claim(store, 'k')).token, { error });
      assert.equal((await store.get('k'))?.error, error);
    },
  },
  {
    name: 'reviving keeps or clears the steps',
    async run({ store }) {
      for (const steps of ['keep', 'clear'] as const) {
        const { token } = await claim(store, steps);
        await store.checkpoint(steps, token, 'step', '1');
        await store.fail(steps, token, { dead: 'failed', error: 'x' });
        assert.equal(await store.revive(steps, { steps }), true);
        const revived = await claim(store, steps);
        assert.deepEqual({ ...revived.steps }, steps === 'keep' ? { step: '1' } : {});
        const saved = await store.checkpoint(steps, revived.token, 'step', '2');
        assert.equal(saved, steps === 'keep' ? 'exists' : 'saved');
      }
    },
  },
  {
    name: 'only dead or completed events are revived, and only once',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      assert.equal(await store.revive('k', { steps: 'clear' }), false);
      assert.equal((await tryClaim(store, 'k')).status, 'busy');
      await store.complete('k', token);
      const revivals = await Promise.all([1, 2, 3].map(() => store.revive('k', { steps: 'clear' })));
      assert.deepEqual(revivals.filter(Boolean), [true]);
      const { attempt, claims, failures, token: next } = await claim(store, 'k');
      assert.deepEqual({ attempt, claims, failures }, { attempt: 2, claims: 1, failures: 0 });
      assert.equal(await store.complete('k', token), false);
      await store.fail('k', next, { error: 'x' });
      assert.equal(await store.revive('k', { steps: 'clear' }), false);
    },
  },
  {
    name: 'a different body is a conflict for a running, waiting, dead, completed or revived event and changes nothing',
    async run(bench) {
      for (const [state, bring] of Object.entries(holding)) {
        await bring(bench.store, state);
        const before = await bench.store.get(state);
        assert.deepEqual(await tryClaim(bench.store, state, LONG_MS, OTHER_HASH), { status: 'conflict' }, state);
        assert.deepEqual(await bench.store.get(state), before, state);
        assert.equal(before?.bodyHash, HASH, state);
      }
    },
  },
  {
    name: "a different body is a conflict even after a crashed worker's lease",
    async run(bench) {
      const { store, shortMs, pass } = bench;
      await claim(store, 'k', shortMs);
      await pass(shortMs * 2);
      assert.deepEqual(await tryClaim(store, 'k', LONG_MS, OTHER_HASH), { status: 'conflict' });
      assert.equal((await claimInTime(bench, 'k')).attempt, 2);
    },
  },
  {
    name: 'a different body replaces that of a failed, unclaimed event and its steps',
    async run({ store }) {
      const first = await claim(store, 'k');
      assert.equal(first.bodyReplaced ?? false, false);
      await store.checkpoint('k', first.token, 'step', '1');
      await store.fail('k', first.token, { error: 'x' });
      const replaced = await claim(store, 'k', LONG_MS, OTHER_HASH);
      assert.deepEqual([replaced.bodyReplaced, replaced.attempt, { ...replaced.steps }], [true, 2, {}]);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'conflict' });
      assert.equal(await store.checkpoint('k', replaced.token, 'step', '2'), 'saved');
      await store.fail('k', replaced.token, { error: 'x' });
      const again = await claim(store, 'k', LONG_MS, OTHER_HASH);
      assert.deepEqual([again.bodyReplaced ?? false, { ...again.steps }], [false, { step: '2' }]);
    },
  },
  {
    name: 'ten workers complete each of twenty events once',
    async run({ store }) {
      const completed: string[] = [];
      const work = async () => {
        for (let i = 0; i < 20; i++) {
          const answer = await tryClaim(store, `k${i}`);
          if (answer.status === 'acquired' && (await store.complete(`k${i}`, answer.token))) completed.push(`k${i}`);
        }
      };
      await Promise.all(Array.from({ length: 10 }, work));
      assert.deepEqual([completed.length, new Set(completed).size], [20, 20]);
    },
  },
];

// Each of these brings an event into a state in which its bytes are still needed, or were.
const holding: Readonly<Record<string, (store: WebhookStore, key: string) => Promise<unknown>>> = {
  active: claim,
  waiting: (store, key) => failed(store, key, { error: 'x', retryInMs: LONG_MS }),
  'given back to a queue': (store, key) => failed(store, key, { retryInMs: LONG_MS }),
  dead: (store, key) => failed(store, key, { error: 'x', dead: 'failed' }),
  done: async (store, key) => store.complete(key, (await claim(store, key)).token),
  'revived after its death': async (store, key) => {
    await failed(store, key, { error: 'x', dead: 'failed' });
    await store.revive(key, { steps: 'keep' });
  },
};

async function failed(store: WebhookStore, key: string, options: FailOptions): Promise<void> {
  assert.equal(await store.fail(key, (await claim(store, key)).token, options), true);
}
