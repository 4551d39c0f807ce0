import assert from 'node:assert/strict';
import { claim, claimInTime, type StoreCase } from './bench.ts';

const STEP = 'user.*,auth.login#send-mail/charge.card_1';

/** What an event remembers between its runs. */
export const stepCases: readonly StoreCase[] = [
  {
    name: 'a step is saved once with its first value',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      assert.equal(await store.checkpoint('k', token, STEP, '"first"'), 'saved');
      assert.equal(await store.checkpoint('k', token, STEP, '"second"'), 'exists');
      assert.equal(await store.checkpoint('k', token, `${STEP}2`, ''), 'saved');
      assert.deepEqual({ ...(await store.get('k'))?.steps }, { [STEP]: '"first"', [`${STEP}2`]: '' });
    },
  },
  {
    name: 'steps survive a failure, a wait, a release and a crashed worker',
    async run(bench) {
      const { store, shortMs } = bench;
      const expected: Record<string, string> = {};
      for (const options of [{ error: 'x' }, {}, { error: 'x', retryInMs: 1 }, undefined, { error: 'x' }]) {
        const { token, attempt, steps } = await claimInTime(bench, 'k', undefined, options ? undefined : shortMs);
        assert.deepEqual({ ...steps }, expected);
        expected[`step ${attempt}`] = `${attempt}`;
        assert.equal(await store.checkpoint('k', token, `step ${attempt}`, `${attempt}`), 'saved');
        if (options) assert.equal(await store.fail('k', token, options), true);
      }
      const { steps, attempt } = await claim(store, 'k');
      assert.deepEqual([attempt, { ...steps }], [6, expected]);
    },
  },
  {
    name: 'twenty concurrent steps are all saved, and the first of twenty writes of one step wins',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      const names = Array.from({ length: 20 }, (_, i) => `step ${i}`);
      const different = await Promise.all(names.map((name) => store.checkpoint('k', token, name, name)));
      const one = await Promise.all(names.map((name) => store.checkpoint('k', token, 'one', name)));
      assert.deepEqual(different, Array(20).fill('saved'));
      assert.deepEqual(one.filter((answer) => answer === 'saved').length, 1);
      assert.deepEqual(one.filter((answer) => answer === 'exists').length, 19);
      const { one: winner, ...rest } = { ...(await store.get('k'))?.steps };
      assert.deepEqual(rest, Object.fromEntries(names.map((name) => [name, name])));
      assert.equal(winner, names[one.indexOf('saved')]);
    },
  },
  {
    name: 'steps of any name store any text of up to 8 kB',
    async run({ store }) {
      const { token } = await claim(store, 'k');
      const steps = Object.fromEntries(oddNames().map((name, i) => [name, oddValues()[i % oddValues().length]]));
      for (const value of oddValues()) steps[`value ${oddValues().indexOf(value)}`] = value;
      for (const [name, value] of Object.entries(steps)) {
        assert.equal(await store.checkpoint('k', token, name, value ?? ''), 'saved', JSON.stringify(name));
      }
      await store.fail('k', token, { error: 'x' });
      assert.deepEqual(sorted((await claim(store, 'k')).steps), sorted(steps));
    },
  },
  {
    name: 'the steps of different keys are separate',
    async run({ store }) {
      const [first, second] = [await claim(store, 'k1'), await claim(store, 'k2')];
      await store.checkpoint('k1', first.token, 'step', '1');
      assert.equal(await store.checkpoint('k2', second.token, 'step', '2'), 'saved');
      assert.equal(await store.checkpoint('k2', first.token, 'other', '1'), 'lost');
      assert.deepEqual({ ...(await store.get('k2'))?.steps }, { step: '2' });
    },
  },
];

function sorted(steps: Readonly<Record<string, string | undefined>>) {
  return Object.entries(steps).sort(([a], [b]) => (a < b ? -1 : 1));
}

// Patterns that somebody registered in JavaScript are part of a step's name.
function oddNames(): readonly string[] {
  const words = [
    '*#(1)',
    'toString',
    'constructor',
    'hasOwnProperty',
    '~1',
    "it's",
    '"',
    '\\',
    '$',
    '$.a',
    'a.b',
    '[0]',
  ];
  return [...words, '%', '?', 'a\nb', 'caf\u00e9', '\u{1f511}', ' ', 'x'.repeat(300)];
}

function oddValues(): readonly string[] {
  const largest = JSON.stringify('\u00e9'.repeat(8190));
  return [
    '',
    '0',
    '"quoted \\" and \'"',
    '"a\\nb"',
    '"\\u0000"',
    '"\\ud800"',
    '"\u{1f511}\u202e"',
    '{"a":[1]}',
    largest,
  ];
}
