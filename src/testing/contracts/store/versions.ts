import assert from 'node:assert/strict';
import type { StoreCase } from './bench.ts';

/** Which version of an entity was applied. */
export const versionCases: readonly StoreCase[] = [
  {
    name: 'an entity has no version before the first, then the newest',
    async run({ store }) {
      assert.equal(await store.latest('user_1'), undefined);
      const answers = [];
      for (const version of [20, 20, 30, 29, 1, 30, 31]) answers.push(await store.advance('user_1', version));
      assert.deepEqual(answers, [true, true, true, false, false, true, true]);
      assert.equal(await store.latest('user_1'), 31);
    },
  },
  {
    name: 'the newest of concurrent versions is kept',
    async run({ store }) {
      const versions = Array.from({ length: 20 }, (_, i) => ((i * 7) % 20) + 1);
      await Promise.all(versions.map((version) => store.advance('user_1', version)));
      assert.equal(await store.latest('user_1'), 20);
    },
  },
  {
    name: 'the largest time that an event may carry is kept exactly',
    async run({ store }) {
      assert.equal(await store.advance('user_1', 99_999_999_998), true);
      assert.equal(await store.advance('user_1', 99_999_999_999), true);
      assert.equal(await store.advance('user_1', 99_999_999_998), false);
      assert.equal(await store.latest('user_1'), 99_999_999_999);
    },
  },
  {
    name: 'similar entity names are different entities and not events',
    async run({ store }) {
      const long = 'x'.repeat(250);
      const entities = [
        '\n*#(1)\nu',
        'a\n*#(1)\nu',
        "'; --",
        '"',
        '\\',
        'caf\u00e9',
        '\u{1f511}',
        `${long}a`,
        `${long}b`,
      ];
      for (const [i, entity] of entities.entries()) assert.equal(await store.advance(entity, i + 1), true);
      const latest = await Promise.all(entities.map((entity) => store.latest(entity)));
      assert.deepEqual(
        latest,
        entities.map((_, i) => i + 1),
      );
      assert.equal(await store.get('\u{1f511}'), undefined);
    },
  },
];
