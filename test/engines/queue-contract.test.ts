import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { memoryQueue, type OpenQueue, queueContract, runQueueCase } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { databaseFolder } from '../support/sqlite.ts';
import { queueTwins } from './queue-twins.ts';

const folder = databaseFolder();

describe('the queue contract', () => {
  it.each(queueTwins)('catches a queue that $fault', async ({ breaks, onFile, spoil }) => {
    const one = queueContract.find(({ name }) => name === breaks);
    if (!one) throw new Error(`There is no case '${breaks}'.`);
    const sound: OpenQueue = onFile
      ? ({ namespace }) => sqliteQueue(folder.file(`${namespace}.db`), { pollMs: 20 })
      : () => memoryQueue({ allowVolatile: true });
    const options = { patienceMs: 700 };
    await expect(runQueueCase(one, async (to) => spoil(await sound(to)), options)).rejects.toThrow();
    await runQueueCase(one, sound);
  });

  it('has a broken twin for each of its cases', () => {
    expect([...new Set(queueTwins.map(({ breaks }) => breaks))].sort()).toEqual(
      queueContract.map(({ name }) => name).sort(),
    );
  });

  it('has a unique name for each case', () => {
    expect(new Set(queueContract.map(({ name }) => name)).size).toBe(queueContract.length);
  });
});
