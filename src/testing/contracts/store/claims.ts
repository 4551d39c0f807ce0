import assert from 'node:assert/strict';
import { eventKey } from '../../../index.ts';
import { claim, claimInTime, HASH, LONG_MS, OTHER_HASH, type StoreCase, tryClaim } from './bench.ts';

const RACERS = 50;

/** Who may run an event, and for how long. */
export const claimCases: readonly StoreCase[] = [
  {
    name: 'a new key is acquired, as its first claim',
    async run({ store }) {
      const { token, steps, ...numbers } = await claim(store, 'k');
      assert.deepEqual(numbers, { status: 'acquired', attempt: 1, claims: 1, failures: 0 });
      assert.deepEqual({ ...steps }, {});
      assert.ok(typeof token === 'string' && token.length > 0);
      const row = await store.get('k');
      assert.deepEqual(row && { ...row, steps: { ...row.steps } }, {
        state: 'active',
        attempt: 1,
        claims: 1,
        failures: 0,
        bodyHash: HASH,
        error: undefined,
        steps: {},
      });
    },
  },
  {
    name: 'a key that nobody claimed is unknown',
    async run({ store }) {
      assert.equal(await store.get('k'), undefined);
      await claim(store, 'another');
      assert.equal(await store.get('k'), undefined);
    },
  },
  {
    name: 'one of fifty concurrent claims is acquired, and the others are told how long to wait',
    async run({ store }) {
      const claims = await Promise.all(Array.from({ length: RACERS }, () => tryClaim(store, 'k')));
      assert.equal(claims.filter(({ status }) => status === 'acquired').length, 1);
      for (const answer of claims) {
        if (answer.status === 'acquired') continue;
        assert.ok(answer.status === 'busy' && answer.retryAfterMs > 0 && answer.retryAfterMs <= LONG_MS);
      }
      assert.equal((await store.get('k'))?.attempt, 1);
    },
  },
  {
    name: 'fifty keys are acquired concurrently with fifty tokens',
    async run({ store }) {
      const keys = Array.from({ length: RACERS }, (_, i) => `k${i}`);
      const claims = await Promise.all(keys.map((key) => claim(store, key)));
      assert.equal(new Set(claims.map(({ token }) => token)).size, RACERS);
    },
  },
  {
    name: 'each claim of a key has its own token and a higher number than earlier claims',
    async run(bench) {
      const { store } = bench;
      const tokens = new Set<string>();
      for (let attempt = 1; attempt <= 5; attempt++) {
        const next = await claim(store, 'k');
        tokens.add(next.token);
        assert.equal(next.attempt, attempt);
        await store.fail(
          'k',
          next.token,
          attempt === 4 ? { dead: 'failed', error: 'x' } : attempt === 2 ? {} : { error: 'x' },
        );
        if (attempt === 4) await store.revive('k', { steps: 'clear' });
      }
      assert.equal(tokens.size, 5);
    },
  },
  {
    name: 'a lease blocks other claims until it ends, and then one of them takes over',
    async run(bench) {
      const { store, shortMs } = bench;
      const first = await claim(store, 'k', shortMs);
      await store.checkpoint('k', first.token, 'step', '1');
      const { steps, token, ...numbers } = await claimInTime(bench, 'k');
      assert.deepEqual(numbers, { status: 'acquired', attempt: 2, claims: 2, failures: 0 });
      assert.deepEqual({ ...steps }, { step: '1' });
      assert.notEqual(token, first.token);
      assert.equal((await tryClaim(store, 'k')).status, 'busy');
    },
  },
  {
    name: 'one of twenty takes over when a lease has ended',
    async run(bench) {
      const { store, shortMs, pass } = bench;
      await claim(store, 'k', shortMs);
      await pass(shortMs * 2);
      const claims = await Promise.all(Array.from({ length: 20 }, () => tryClaim(store, 'k')));
      const acquired = claims.filter(({ status }) => status === 'acquired');
      assert.deepEqual(
        acquired.map((answer) => answer.status === 'acquired' && answer.attempt),
        [2],
      );
    },
  },
  {
    name: 'an extended lease lasts longer and then ends',
    async run(bench) {
      const { store, shortMs, pass } = bench;
      const { token } = await claim(store, 'k', shortMs);
      assert.equal(await store.extend('k', token, LONG_MS), true);
      await pass(shortMs * 2);
      assert.equal((await tryClaim(store, 'k')).status, 'busy');
      assert.equal(await store.extend('k', token, shortMs), true);
      assert.equal((await claimInTime(bench, 'k')).attempt, 2);
    },
  },
  {
    name: 'a lease that ended can be extended while nobody took over',
    async run({ store, shortMs, pass }) {
      const { token } = await claim(store, 'k', shortMs);
      await pass(shortMs * 2);
      assert.equal(await store.extend('k', token, LONG_MS), true);
      assert.equal((await tryClaim(store, 'k')).status, 'busy');
      assert.equal(await store.complete('k', token), true);
    },
  },
  {
    name: 'a worker that lost its claim can extend, checkpoint, complete and fail nothing',
    async run(bench) {
      const { store, shortMs } = bench;
      const { token } = await claim(store, 'k', shortMs);
      const winner = await claimInTime(bench, 'k');
      for (const stale of [token, 'no token at all', '']) {
        assert.equal(await store.extend('k', stale, LONG_MS), false);
        assert.equal(await store.checkpoint('k', stale, 'step', '1'), 'lost');
        assert.equal(await store.complete('k', stale), false);
        for (const options of [
          {},
          { error: 'x' },
          { error: 'x', retryInMs: 1 },
          { error: 'x', dead: 'failed' },
        ] as const) {
          assert.equal(await store.fail('k', stale, options), false);
        }
      }
      const row = await store.get('k');
      assert.deepEqual([row?.state, row?.attempt, row?.failures, { ...row?.steps }], ['active', 2, 0, {}]);
      assert.equal(await store.complete('k', winner.token), true);
      assert.equal(await store.complete('k', token), false);
    },
  },
  {
    name: 'an unknown key cannot be extended, checkpointed, completed, failed or revived',
    async run({ store }) {
      const { token } = await claim(store, 'another');
      assert.equal(await store.extend('k', token, LONG_MS), false);
      assert.equal(await store.checkpoint('k', token, 'step', '1'), 'lost');
      assert.equal(await store.complete('k', token), false);
      assert.equal(await store.fail('k', token, { error: 'x' }), false);
      assert.equal(await store.revive('k', { steps: 'keep' }), false);
      assert.equal(await store.get('k'), undefined);
    },
  },
  {
    name: 'keys that look alike are different keys',
    async run({ store }) {
      const keys = oddKeys();
      await Promise.all(keys.map((key, i) => claim(store, key, LONG_MS, `hash ${i}`)));
      const hashes = await Promise.all(keys.map(async (key) => (await store.get(key))?.bodyHash));
      assert.deepEqual(
        hashes,
        keys.map((_, i) => `hash ${i}`),
      );
    },
  },
  {
    name: 'no tenant sees the ids of another',
    async run({ store }) {
      const pairs = [undefined, 'a', 'a:b', 'b', 'a b'].flatMap((tenant) =>
        ['evt_1', 'b:evt_1', 'a', 'b evt_1'].map((id) => [tenant, id] as const),
      );
      for (const [tenant, id] of pairs) {
        const { token } = await claim(store, eventKey(tenant, id), LONG_MS, `${tenant} ${id}`);
        assert.equal(await store.complete(eventKey(tenant, id), token), true);
      }
    },
  },
  {
    name: 'a finished id is a duplicate, and a conflict for a different body',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      await store.complete('k', token);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'done' });
      assert.deepEqual(await tryClaim(store, 'k', LONG_MS, OTHER_HASH), { status: 'conflict' });
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'done' });
    },
  },
];

function oddKeys(): readonly string[] {
  const long = 'x'.repeat(199);
  const words = [
    'evt_1',
    'EVT_1',
    ' evt_1',
    'evt_1 ',
    '\nevt_1',
    'evt_1\n',
    'a\nevt_1',
    'a\n\nevt_1',
    'lane\na\nevt_1',
    "'; DROP TABLE events; --",
    '"quoted"',
    '\\',
    '%',
    '_',
    '?',
    '$1',
    ':key',
    '{evt}',
    '[1]',
    'null',
    'undefined',
    '0',
    '__proto__',
    'constructor',
    'caf\u00e9',
    'cafe\u0301',
    '\u{1f511}',
    '\u202e',
    'nul\0a',
    'nul\0b',
    'half \ud800',
    'half \ud801',
    'half \ufffd',
  ];
  return [...words, long, `${long}x`, `${long}xx`, `${long}xxa`, `${long}xxb`, `${long}${long}a`, `${long}${long}b`];
}
