import assert from 'node:assert/strict';
import type { WebhookStore } from '../../../index.ts';
import { claim, claimInTime, type StoreCase, tryClaim } from './bench.ts';

const effectFailed = new Error('the effect failed');

/** Marks that are made in the transaction of an effect. */
export const transactionCases: readonly StoreCase[] = [
  {
    name: 'a transaction returns the result of its work and commits its marks',
    kind: 'transactions',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      const given = await inTransaction(store, async (tx) => {
        assert.equal(await store.checkpoint('k', token, 'handler', '', tx), 'saved');
        assert.equal(await store.checkpoint('k', token, 'handler', 'x', tx), 'exists');
        assert.equal(await store.advance('entity', 5, tx), true);
        return 'given';
      });
      assert.equal(given, 'given');
      assert.deepEqual({ ...(await store.get('k'))?.steps }, { handler: '' });
      assert.equal(await store.latest('entity'), 5);
      assert.equal(await inTransaction(store, (tx) => store.complete('k', token, tx)), true);
      assert.deepEqual(await tryClaim(store, 'k'), { status: 'done' });
    },
  },
  {
    name: 'a transaction whose work fails rolls back its checkpoint, version and completion',
    kind: 'transactions',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      await store.advance('entity', 5);
      const rejected = inTransaction(store, async (tx) => {
        assert.equal(await store.checkpoint('k', token, 'handler', '', tx), 'saved');
        assert.equal(await store.advance('entity', 9, tx), true);
        assert.equal(await store.complete('k', token, tx), true);
        throw effectFailed;
      });
      await assert.rejects(rejected, (error) => error === effectFailed);
      const row = await store.get('k');
      assert.deepEqual([row?.state, { ...row?.steps }, await store.latest('entity')], ['active', {}, 5]);
      assert.equal(await store.checkpoint('k', token, 'handler', ''), 'saved');
      assert.equal(await store.complete('k', token), true);
    },
  },
  {
    name: 'a transaction of a worker that lost its claim marks nothing',
    kind: 'transactions',
    async run(bench) {
      const { store, shortMs } = bench;
      const { token } = await claim(store, 'k', shortMs);
      await claimInTime(bench, 'k');
      const answers = await inTransaction(store, async (tx) => [
        await store.checkpoint('k', token, 'handler', '', tx),
        await store.complete('k', token, tx),
      ]);
      assert.deepEqual(answers, ['lost', false]);
      const row = await store.get('k');
      assert.deepEqual([row?.state, row?.attempt, { ...row?.steps }], ['active', 2, {}]);
    },
  },
  {
    name: 'a transaction for a late event is told so and changes no version',
    kind: 'transactions',
    async run({ store }) {
      await store.advance('entity', 7);
      assert.equal(await inTransaction(store, (tx) => store.advance('entity', 6, tx)), false);
      assert.equal(await store.latest('entity'), 7);
    },
  },
  {
    name: 'ten concurrent transactions each commit their own marks',
    kind: 'transactions',
    async run({ store }) {
      const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
      const claims = await Promise.all(keys.map((key) => claim(store, key)));
      const work = claims.map(({ token }, i) =>
        inTransaction(store, async (tx) => {
          await store.checkpoint(`k${i}`, token, 'handler', `${i}`, tx);
          await store.advance('entity', i, tx);
          if (i % 2) throw effectFailed;
        }).catch((error) => assert.equal(error, effectFailed)),
      );
      await Promise.all(work);
      const steps = await Promise.all(keys.map(async (key) => (await store.get(key))?.steps.handler));
      assert.deepEqual(
        steps,
        keys.map((_, i) => (i % 2 ? undefined : `${i}`)),
      );
      assert.equal(await store.latest('entity'), 8);
    },
  },
];

function inTransaction<T>(store: WebhookStore, work: (tx: unknown) => Promise<T>): Promise<T> {
  assert.ok(store.transaction, 'The suite was told of transactions, and the store has none.');
  return store.transaction(work);
}
