import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Room, Taken, WorkSource } from '../../../src/engines/shared/work-source.ts';
import { createWorkers } from '../../../src/engines/shared/workers.ts';
import type { QueueSlot, QueueWork, WorkOutcome } from '../../../src/index.ts';
import { recordingLogger } from '../../support/deliver.ts';
import { gate } from '../../support/receiver.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => undefined);
const later = () => vi.advanceTimersByTimeAsync(10);
const DONE: WorkOutcome = { kind: 'done' };

/** Deliveries that are ready, work that ends as a test says, and a log of all that happens. */
function workersOver(ids: readonly string[], { pollMs = 1000, dueMs = Number.POSITIVE_INFINITY } = {}) {
  const log: string[] = [];
  const ready = [...ids];
  const logger = recordingLogger();
  const runs = new Map<string, { end(outcome?: WorkOutcome): void; fail(error: unknown): void; slot: QueueSlot }>();
  const parts: Partial<Taken> = {};

  function taken(eventId: string): Taken {
    const delivery = {
      key: eventId,
      eventId,
      type: 'user.created',
      created: 1,
      body: new Uint8Array(),
      bodyHash: '',
      headers: {},
      receivedAtMs: 0,
    };
    return {
      delivery,
      attempt: 1,
      record: async ({ kind }) => void log.push(`${eventId} ${kind}`),
      giveBack: async () => void log.push(`${eventId} given back`),
      ...parts,
    };
  }

  const source: WorkSource = {
    async take(room: Room) {
      return ready.splice(0, room.most()).map(taken);
    },
    dueInMs: () => dueMs,
  };
  const work: QueueWork = ({ eventId }, _, signal, slot) => {
    log.push(`${eventId} runs`);
    const { promise, open, fail } = gate<WorkOutcome>();
    runs.set(eventId, { end: (outcome = DONE) => open(outcome), fail, slot: slot as QueueSlot });
    signal.addEventListener('abort', () => {
      log.push(`${eventId} aborted: ${signal.reason}`);
      fail(signal.reason);
    });
    return promise;
  };
  const workers = createWorkers(source, { pollMs, logger });
  const end = (eventId: string) => {
    runs.get(eventId)?.end();
    return later();
  };
  return { log, ready, logger, runs, parts, source, work, workers, taken, end };
}

it('workers run as many deliveries at a time as they may, and the next when one ends', async () => {
  const { log, work, workers, end } = workersOver(['a', 'b', 'c']);
  workers.start(work, { concurrency: 2 });
  await later();
  expect(log).toEqual(['a runs', 'b runs']);
  await end('b');
  expect(log).toEqual(['a runs', 'b runs', 'b done', 'c runs']);
});

it('workers look again after their interval, or when something is due before that', async () => {
  for (const [dueMs, waitMs] of [
    [Number.POSITIVE_INFINITY, 1000],
    [300, 300],
  ] as const) {
    const { log, ready, work, workers } = workersOver([], { dueMs });
    workers.start(work, { concurrency: 1 });
    await vi.advanceTimersByTimeAsync(waitMs - 1);
    ready.push('a');
    expect(log).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(log).toEqual(['a runs']);
  }
});

it('workers that are woken look at once, and a second time when they were looking', async () => {
  const { log, ready, source, work, workers } = workersOver([]);
  workers.wake();
  await later();
  workers.start(work, { concurrency: 2 });
  await later();
  ready.push('a');
  workers.wake();
  await later();
  expect(log).toEqual(['a runs']);
  const answer = gate();
  const { take } = source;
  source.take = async () => {
    source.take = take;
    await answer.promise;
    return [];
  };
  workers.wake();
  await later();
  ready.push('b');
  workers.wake();
  answer.open();
  await later();
  expect(log).toEqual(['a runs', 'b runs']);
});

it('workers that were not started, or are stopped, take nothing', async () => {
  const { log, ready, work, workers } = workersOver(['a']);
  workers.wake();
  await later();
  workers.start(work, { concurrency: 1 });
  const stopped = workers.stop({ timeoutMs: 1000 });
  await later();
  await stopped;
  workers.wake();
  await vi.advanceTimersByTimeAsync(5000);
  expect([log, ready]).toEqual([[], ['a']]);
});

it('a delivery that has to run alone has nothing beside it', async () => {
  const { log, ready, parts, work, workers, end } = workersOver(['a']);
  Object.assign(parts, { alone: true });
  workers.start(work, { concurrency: 3 });
  await later();
  ready.push('b');
  workers.wake();
  await later();
  expect(log).toEqual(['a runs']);
  await end('a');
  expect(log).toEqual(['a runs', 'a done', 'b runs']);
});

it('a source is told whether anything runs', async () => {
  const { source, ready, work, workers, end } = workersOver(['a']);
  const idle: boolean[] = [];
  const { take } = source;
  source.take = (room) => {
    idle.push(room.isIdle());
    return take(room);
  };
  workers.start(work, { concurrency: 2 });
  await later();
  expect(idle.splice(0)).toEqual([true, false]);
  await end('a');
  expect(new Set(idle.splice(0))).toEqual(new Set([true]));
  ready.push('b');
  workers.wake();
  await later();
  expect(idle).toEqual([true, false]);
});

it('a source that fails is logged once, and tried again after a second', async () => {
  const { log, logger, source, work, workers } = workersOver(['a']);
  const { take } = source;
  const down = new Error('down');
  source.take = () => {
    source.take = take;
    return Promise.reject(down);
  };
  workers.start(work, { concurrency: 1 });
  await vi.advanceTimersByTimeAsync(999);
  expect([log, logger.lines]).toEqual([
    [],
    [{ level: 'error', fields: { err: down }, message: 'The queue could not be read; it is tried again' }],
  ]);
  await vi.advanceTimersByTimeAsync(1);
  expect(log).toEqual(['a runs']);
});

it('a run whose end cannot be recorded is logged, and its slot is free', async () => {
  const { log, logger, runs, work, workers } = workersOver(['a', 'b']);
  const down = new Error('down');
  workers.start(work, { concurrency: 1 });
  await later();
  runs.get('a')?.fail(down);
  await later();
  expect([log, logger.lines]).toEqual([
    ['a runs', 'b runs'],
    [
      {
        level: 'error',
        fields: { err: down, event_id: 'a' },
        message: 'The end of a queued run could not be recorded',
      },
    ],
  ]);
});

it('workers cannot be started twice, nor with a concurrency or a time that makes no sense', async () => {
  const { work, workers } = workersOver([]);
  expect(() => workers.start(work, { concurrency: 0 })).toThrow(
    new TypeError('`concurrency` must be a whole number from 1.'),
  );
  workers.start(work, { concurrency: 1 });
  expect(() => workers.start(work, { concurrency: 1 })).toThrow(
    new TypeError('This queue has workers already: call stop() first.'),
  );
  await expect(workers.stop({ timeoutMs: -1 })).rejects.toThrow(/^`timeoutMs` must be a number of milliseconds/);
  await expect(workers.drain(work, { maxMs: -1, max: 1 })).rejects.toThrow(/^`maxMs` must be a number of milliseconds/);
});

it('stop waits for what runs, and workers can be started again with fresh signals', async () => {
  const { log, ready, work, workers, end } = workersOver(['a']);
  workers.start(work, { concurrency: 1 });
  await later();
  let isStopped = false;
  const stopped = workers.stop({ timeoutMs: 1000 }).then(() => {
    isStopped = true;
  });
  await later();
  expect(isStopped).toBe(false);
  await end('a');
  await stopped;
  ready.push('b', 'c');
  workers.start(work, { concurrency: 1 });
  await later();
  await end('b');
  expect(log).toEqual(['a runs', 'a done', 'b runs', 'b done', 'c runs']);
});

it('stop aborts a running event two graces before its limit, even while the source does not respond', async () => {
  const { log, source, work, workers } = workersOver(['a']);
  const { take } = source;
  source.take = (room) => {
    source.take = never;
    return take(room);
  };
  workers.start(work, { concurrency: 2 });
  await later();
  const stopped = workers.stop({ timeoutMs: 200 });
  await vi.advanceTimersByTimeAsync(159);
  expect(log).toEqual(['a runs']);
  await vi.advanceTimersByTimeAsync(1);
  expect(log).toEqual(['a runs', 'a aborted: Error: The worker was stopped.']);
  await vi.advanceTimersByTimeAsync(200);
  expect(await stopped).toBeUndefined();
});

it('stop gives an event back whose handler does not heed its signal, one grace after the abort', async () => {
  const { log, logger, workers } = workersOver(['a']);
  workers.start(never, { concurrency: 1 });
  await later();
  const stopped = workers.stop({ timeoutMs: 60_000 });
  await vi.advanceTimersByTimeAsync(58_999);
  expect(log).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  await stopped;
  expect([log, logger.lines]).toEqual([['a given back'], []]);
});

it('stop returns when a delivery cannot be given back, with one line', async () => {
  const { parts, logger, ready, workers } = workersOver([]);
  const down = new Error('down');
  for (const [giveBack, lines] of [
    [
      () => Promise.reject(down),
      [
        {
          level: 'error',
          fields: { err: down },
          message: 'A queued event could not be given back; its lease runs out by itself',
        },
      ],
    ],
    [never, []],
  ] as const) {
    Object.assign(parts, { giveBack });
    logger.lines.length = 0;
    ready.push('a');
    workers.start(never, { concurrency: 1 });
    await later();
    const stopped = workers.stop({ timeoutMs: 0 });
    await vi.advanceTimersByTimeAsync(110);
    expect(await stopped).toBeUndefined();
    expect(logger.lines).toEqual(lines);
  }
});

it('what a source hands out after the stop is given back', async () => {
  const { log, source, taken, work, workers } = workersOver([]);
  const answer = gate<readonly Taken[]>();
  source.take = () => answer.promise;
  workers.start(work, { concurrency: 1 });
  await later();
  const stopped = workers.stop({ timeoutMs: 1000 });
  answer.open([taken('a')]);
  await later();
  await stopped;
  expect(log).toEqual(['a given back']);
});

it('stop aborts at once what waits outside of its slot, and what leaves it afterwards', async () => {
  const { log, runs, work, workers } = workersOver(['a', 'b', 'c']);
  workers.start(work, { concurrency: 3 });
  await later();
  runs.get('a')?.slot.leave();
  const stopped = workers.stop({ timeoutMs: 1000 });
  await later();
  expect(log.slice(3)).toEqual(['a aborted: Error: The worker was stopped.']);
  runs.get('b')?.slot.leave();
  await later();
  expect(log.slice(4)).toEqual(['b aborted: Error: The worker was stopped.']);
  runs.get('c')?.end();
  await later();
  await stopped;
  expect(log.slice(5)).toEqual(['c done']);
});

it('a drain runs ten deliveries at a time, as many as it may in all, and returns their number', async () => {
  const ids = Array.from({ length: 15 }, (_, i) => `e${i}`);
  const { log, ready, runs, work, workers } = workersOver(ids);
  const drained = workers.drain(work, { maxMs: 1000, max: 12 });
  await later();
  expect(log).toHaveLength(10);
  for (const { end } of [...runs.values()]) end();
  await later();
  expect(ready).toHaveLength(3);
  for (const { end } of [...runs.values()]) end();
  await later();
  expect(await drained).toBe(12);
});

it('a drain takes nothing after its time, or after a stop, and waits for what runs', async () => {
  for (const [maxMs, stops] of [
    [100, false],
    [1000, true],
  ] as const) {
    const ids = Array.from({ length: 11 }, (_, i) => `e${i}`);
    const { ready, runs, work, workers } = workersOver(ids);
    const drained = workers.drain(work, { maxMs, max: 100 });
    await later();
    const stopped = stops ? workers.stop({ timeoutMs: 1000 }) : undefined;
    await vi.advanceTimersByTimeAsync(90);
    for (const { end } of [...runs.values()]) end();
    await later();
    expect([await drained, ready, await stopped]).toEqual([10, ['e10'], undefined]);
  }
});

it('a drain that waits for its turn to take takes nothing when the queue is stopped meanwhile', async () => {
  const { log, source, ready, work, workers } = workersOver([]);
  const answer = gate<readonly Taken[]>();
  const { take } = source;
  source.take = () => {
    source.take = take;
    return answer.promise;
  };
  workers.start(work, { concurrency: 1 });
  await later();
  const drained = workers.drain(work, { maxMs: 1000, max: 10 });
  const stopped = workers.stop({ timeoutMs: 1000 });
  ready.push('a');
  answer.open([]);
  await later();
  await stopped;
  expect([await drained, log, ready]).toEqual([0, [], ['a']]);
});

it('a drain of no time takes nothing', async () => {
  const { log, work, workers } = workersOver(['a']);
  expect([await workers.drain(work, { maxMs: 0, max: 100 }), log]).toEqual([0, []]);
});

it('a drain takes another delivery when one leaves its slot', async () => {
  const ids = Array.from({ length: 11 }, (_, i) => `e${i}`);
  const { log, runs, work, workers } = workersOver(ids);
  const drained = workers.drain(work, { maxMs: 1000, max: 100 });
  await later();
  expect(log).toHaveLength(10);
  runs.get('e3')?.slot.leave();
  await later();
  expect(log).toHaveLength(11);
  for (const { end } of [...runs.values()]) end();
  await later();
  expect(await drained).toBe(11);
});
