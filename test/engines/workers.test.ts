import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Taken } from '../../src/engines/shared/work-source.ts';
import { createWorkers } from '../../src/engines/shared/workers.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const delivery = {
  key: 'evt_1',
  eventId: 'evt_1',
  type: 'user.created',
  created: 1,
  body: new Uint8Array(),
  bodyHash: '',
  headers: {},
  receivedAtMs: 0,
};
const taken: Taken = { delivery, attempt: 1, record: async () => undefined, giveBack: async () => undefined };

it('stop aborts a running event two graces before its limit, even while the source does not respond', async () => {
  const takes = [Promise.resolve([taken])];
  const source = { take: () => takes.shift() ?? new Promise<never>(() => undefined), dueInMs: () => 0 };
  const workers = createWorkers(source, { pollMs: 1000, logger: { error: () => undefined } });
  let aborted = false;
  const work = (_: unknown, __: number, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(signal.reason);
      });
    });
  workers.start(work, { concurrency: 2 });
  await vi.advanceTimersByTimeAsync(10);
  const stopped = workers.stop({ timeoutMs: 200 });
  await vi.advanceTimersByTimeAsync(159);
  expect(aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(200);
  expect(await stopped).toBeUndefined();
});
