import { expect, it, onTestFinished, vi } from 'vitest';
import { nowAndThen } from '../../../src/engines/shared/now-and-then.ts';

it('work is done at most once in its time, and again at once while there is more to do', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const left = [true, true, false, false];
  let runs = 0;
  const look = nowAndThen(1000, async () => left[runs++] ?? false);
  for (let i = 0; i < 5; i++) await look();
  expect(runs).toBe(3);
  vi.advanceTimersByTime(999);
  await look();
  expect(runs).toBe(3);
  vi.advanceTimersByTime(1);
  await look();
  await look();
  expect(runs).toBe(4);
});
