import { expect, it } from 'vitest';
import { createBatches } from '../../../src/engines/shared/batches.ts';
import { gate } from '../../support/receiver.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/** Batches of texts such as `b2`, whose key is the letter. Each run waits for its gate, and answers in capitals. */
function batchesOf(most: number, fault: (items: readonly string[]) => Error | undefined = () => undefined) {
  const runs: { readonly items: readonly string[]; readonly end: () => void }[] = [];
  const add = createBatches(
    async (items: readonly string[]) => {
      const { promise, open } = gate();
      runs.push({ items, end: open });
      await promise;
      const error = fault(items);
      if (error) throw error;
      return items.map((item) => item.toUpperCase());
    },
    { most, keyOf: (item) => item.charAt(0), isOfOne: (error) => (error as Error).message === 'one' },
  );
  const end = async (n: number) => {
    runs[n]?.end();
    await turn();
  };
  return { add, end, items: () => runs.map(({ items }) => items) };
}

it('items of one turn share a run, in the order of their keys, and each has its own result', async () => {
  const { add, end, items } = batchesOf(10);
  const results = Promise.all(['c', 'a', 'b'].map(add));
  expect(items()).toEqual([]);
  await turn();
  expect(items()).toEqual([['a', 'b', 'c']]);
  await end(0);
  expect(await results).toEqual(['C', 'A', 'B']);
});

it('items of one key are never in the same run', async () => {
  const { add, end, items } = batchesOf(10);
  const results = Promise.all(['a1', 'b1', 'a2', 'a3'].map(add));
  await turn();
  expect(items()).toEqual([['a1', 'b1'], ['a2']]);
  await end(0);
  expect(items()).toEqual([['a1', 'b1'], ['a2'], ['a3']]);
  await end(1);
  await end(2);
  expect(await results).toEqual(['A1', 'B1', 'A2', 'A3']);
});

it('a run has no more items than it may have', async () => {
  const { add, end, items } = batchesOf(2);
  const results = Promise.all(['a', 'b', 'c'].map(add));
  await turn();
  expect(items()).toEqual([['a', 'b'], ['c']]);
  await end(0);
  await end(1);
  expect(await results).toEqual(['A', 'B', 'C']);
});

it('two runs are under way at a time, and the next one gathers what arrives meanwhile', async () => {
  const { add, end, items } = batchesOf(10);
  const results = [add('a')];
  await turn();
  results.push(add('b'));
  await turn();
  results.push(add('c'));
  await turn();
  results.push(add('d'));
  await turn();
  expect(items()).toEqual([['a'], ['b']]);
  await end(0);
  expect(items()).toEqual([['a'], ['b'], ['c', 'd']]);
  results.push(add('e'));
  await turn();
  expect(items()).toHaveLength(3);
  await end(1);
  expect(items()).toEqual([['a'], ['b'], ['c', 'd'], ['e']]);
  await end(2);
  await end(3);
  expect(await Promise.all(results)).toEqual(['A', 'B', 'C', 'D', 'E']);
});

it('an item at fault fails alone, and the others are run without it', async () => {
  const one = new Error('one');
  const { add, end, items } = batchesOf(10, (all) => (all.includes('b') ? one : undefined));
  const results = Promise.allSettled(['a', 'b', 'c'].map(add));
  await turn();
  for (let n = 0; n < 4; n++) await end(n);
  expect(items()).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']]);
  expect(await results).toEqual([
    { status: 'fulfilled', value: 'A' },
    { status: 'rejected', reason: one },
    { status: 'fulfilled', value: 'C' },
  ]);
});

it("an error that is the database's own fails all items of its run at once", async () => {
  const down = new Error('down');
  const { add, end, items } = batchesOf(10, () => down);
  const results = Promise.allSettled(['a', 'b'].map(add));
  await turn();
  await end(0);
  expect(await results).toEqual(Array(2).fill({ status: 'rejected', reason: down }));
  expect(items()).toEqual([['a', 'b']]);
});

it('an item that is at fault by itself is not run a second time', async () => {
  const { add, end, items } = batchesOf(10, () => new Error('one'));
  const result = add('a');
  result.catch(() => undefined);
  await turn();
  await end(0);
  await expect(result).rejects.toThrow('one');
  expect(items()).toEqual([['a']]);
});
