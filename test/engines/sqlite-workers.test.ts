import { type QueueWork, type StoredEvent, WebhookHandler, type WebhookQueue } from '@pathfinder/webhooks';
import { type SqliteDatabase, sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { bodyOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { databaseFolder, openDatabase } from '../support/sqlite.ts';

const folder = databaseFolder();
let files = 0;

function open() {
  let commits = 0;
  const db = openDatabase(folder.file(`${files++}.db`));
  const counting: SqliteDatabase = {
    exec(sql) {
      if (sql === 'COMMIT') commits++;
      return db.exec(sql);
    },
    prepare: (sql) => db.prepare(sql),
    close: () => db.close(),
  };
  const logger = recordingLogger();
  const queue = sqliteQueue(counting, { logger, pollMs: 10 });
  onTestFinished(async () => {
    await queue.close?.();
    db.close();
  });
  return { queue, logger, commits: () => commits };
}

async function fill(queue: WebhookQueue, count: number): Promise<void> {
  const receiver = new WebhookHandler({ secret: SECRET, queue });
  const bodies = Array.from({ length: count }, (_, i) => bodyOf({ id: `evt_${i}` }));
  const results = await Promise.all(bodies.map((body) => receiver.handle(body, sign(body))));
  expect(results.filter(({ status }) => status !== 'queued' && status !== 'duplicate')).toEqual([]);
}

/** Commits for so many events at that concurrency, and the most handlers that ran at a time. */
async function workOff(count: number, concurrency: number) {
  const { queue, commits } = open();
  await fill(queue, count);
  const webhooks = new WebhookHandler({ secret: SECRET, queue });
  let running = 0;
  let most = 0;
  let ran = 0;
  webhooks.on('user.created', async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    ran++;
  });
  const before = commits();
  await webhooks.start({ concurrency });
  await vi.waitFor(() => expect(ran).toBe(count));
  await webhooks.stop();
  return { commits: commits() - before, most };
}

describe('sqliteQueue workers', () => {
  it('complete an event and take the next one in one commit', async () => {
    // A sweep and a take to begin with, and one commit for each event.
    expect(await workOff(5, 1)).toEqual({ commits: 7, most: 1 });
  });

  it('fill all free slots in one commit when several events end together', async () => {
    expect(await workOff(30, 10)).toEqual({ commits: 5, most: 10 });
  });

  it('fill the slot of an event once, however often it is released', async () => {
    const { queue } = open();
    await fill(queue, 4);
    let running = 0;
    let most = 0;
    let ran = 0;
    const work: QueueWork = async ({ key }, _attempt, _signal, slot, held) => {
      most = Math.max(most, ++running);
      slot?.leave();
      slot?.leave();
      await queue.store.complete(key, held?.claim.token ?? '');
      running--;
      ran++;
      return { kind: 'done' };
    };
    await queue.start(work, { concurrency: 1 });
    await vi.waitFor(() => expect(ran).toBe(4));
    await queue.stop({ timeoutMs: 1000 });
    expect(most).toBe(1);
  });

  it.each([
    [
      'a failure counts',
      new Error('The store was away.'),
      { claims: 2, failures: 1, error: 'Error: The store was away.' },
    ],
    ['what only waits counts for nothing', undefined, { claims: 1, failures: 0, error: undefined }],
  ])("record a run's result that could not be stored: %s", async (_, error, expected) => {
    const { queue } = open();
    await fill(queue, 1);
    const seen: (StoredEvent | undefined)[] = [];
    const work: QueueWork = async ({ key }) => {
      seen.push(await queue.store.get(key));
      return { kind: 'retry', inMs: 5, error };
    };
    await queue.start(work, { concurrency: 1 });
    await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(2));
    await queue.stop({ timeoutMs: 1000 });
    expect(seen[1]).toMatchObject({ state: 'active', attempt: 2, ...expected });
  });

  it('leave no trace when they are stopped at any moment of a take', async () => {
    const moments = Array.from({ length: 30 }, (_, i) => [Math.floor(i / 10), i % 10] as const);
    for (const [turns, microtasks] of moments) {
      const { queue, logger } = open();
      await fill(queue, 1);
      let runs = 0;
      const work: QueueWork = async (_delivery, _attempt, signal) => {
        runs++;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return { kind: 'retry', inMs: 0 };
      };
      await queue.start(work, { concurrency: 2 });
      await vi.waitFor(() => expect(runs).toBe(1));
      // They look again, with one of their two places taken.
      await fill(queue, 3);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      for (let i = 0; i < microtasks; i++) await Promise.resolve();
      await queue.stop({ timeoutMs: 20 });
      expect([turns, microtasks, logger.lines]).toEqual([turns, microtasks, []]);
      expect(await queue.stats()).toMatchObject({ ready: 3, active: 0, delayed: 0 });
    }
  });
});
