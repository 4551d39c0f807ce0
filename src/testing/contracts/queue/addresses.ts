import assert from 'node:assert/strict';
import { bury, buryEvents, bytesOf, deliver, type QueueCase } from './bench.ts';

/** How dead letters are named. */
export const addressCases: readonly QueueCase[] = [
  {
    name: 'a dead letter is addressed unambiguously by its key or by its event',
    async run(bench) {
      const { deadLetters } = bench.queue;
      await buryEvents(bench, ALIKE);
      const letters = await deadLetters.list();
      assert.equal(new Set(letters.map(({ key }) => key)).size, ALIKE.length);
      for (const letter of letters) {
        const { key, id, tenant } = letter;
        for (const address of [key, { id, tenant }, letter]) assert.deepEqual(await deadLetters.get(address), letter);
      }
      const [first, second, third] = letters;
      assert.ok(first && second && third);
      assert.equal(await deadLetters.discard([first.key, first, { id: first.id, tenant: first.tenant }]), 1);
      assert.equal(await deadLetters.replay([second, second.key]), 1);
      const left = await deadLetters.list();
      assert.deepEqual(
        left.map(({ id, tenant }) => [tenant, id]),
        [[third.tenant, third.id]],
      );
    },
  },
  {
    name: 'the key of a deleted dead letter is never reused',
    async run(bench) {
      const { deadLetters } = bench.queue;
      await bury(bench, 'evt_1');
      const letter = await deadLetters.get({ id: 'evt_1' });
      assert.ok(letter);
      assert.equal(await deadLetters.discard([letter]), 1);
      await bury(bench, 'evt_2');
      assert.equal(await deadLetters.get(letter.key), undefined);
      assert.equal(await deadLetters.replay([letter.key, letter]), 0);
      assert.equal(await deadLetters.discard([letter.key, letter]), 0);
      assert.equal((await bench.queue.stats()).dead, 1);
    },
  },
  {
    name: 'an invalid address or filter is rejected before anything is written',
    async run(bench) {
      await bury(bench, 'evt_1');
      const { deadLetters } = bench.queue;
      const good = { id: 'evt_1' };
      const webhooks = bench.receiver();
      for (const bad of ['evt_1', '', 123, null, undefined, {}, { id: 7 }, { id: 'evt_1', tenant: 7 }]) {
        const delivered = [1, 2].map((i) => deliver(webhooks, bytesOf(`evt_${String(bad)}_${typeof bad}_${i}`)));
        await assert.rejects(deadLetters.get(bad as string), TypeError);
        await assert.rejects(deadLetters.discard([good, bad as string]), TypeError);
        await assert.rejects(deadLetters.replay([good, bad as string]), TypeError);
        for (const [status] of await Promise.all(delivered)) assert.ok(status === 202 || status === 200);
      }
      for (const bad of [{ reason: 'dead' }, { type: 1 }, { limit: 0 }, { sinceMs: Number.NaN }, { tennant: 'a' }]) {
        await assert.rejects(deadLetters.list(bad as object), TypeError);
        await assert.rejects(deadLetters.replay(bad as object), TypeError);
      }
      for (const bad of [{ steps: 'all' }, { ratePerSecond: 0 }, { rate: 1 }]) {
        await assert.rejects(deadLetters.replay([good], bad as object), TypeError);
      }
      assert.equal((await bench.queue.stats()).dead, 1);
    },
  },
];

/** Events whose tenant and id read alike, however they are joined. */
const ALIKE = [
  ['a', 'b:c', 'user.created'],
  ['a:b', 'c', 'user.created'],
  ['a:b:c', 'a', 'user.created'],
] as const;
