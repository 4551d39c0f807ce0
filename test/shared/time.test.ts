import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MOST_TIMER_MS, within } from '../../src/shared/time.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('within', () => {
  it('resolves with the work in time and leaves no timer behind', async () => {
    expect(await within(10, Promise.resolve('done'), () => 'late')).toBe('done');
    await expect(within(10, Promise.reject(new Error('no')), () => 'late')).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resolves with the stand-in when the work takes too long, and not earlier', async () => {
    const told: string[] = [];
    const waiting = within(10, new Promise<string>(() => undefined), () => 'late').then((word) => told.push(word));
    await vi.advanceTimersByTimeAsync(9);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    expect(told).toEqual(['late']);
  });

  it('rejects with what the stand-in throws', async () => {
    const waiting = within(10, new Promise<string>(() => undefined), () => {
      throw new Error('too late');
    });
    const rejected = expect(waiting).rejects.toThrow('too late');
    await vi.advanceTimersByTimeAsync(10);
    await rejected;
  });

  it('ignores the result of late work', async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<string>((_, reject) => {
      fail = reject;
    });
    const waiting = within(10, work, () => 'late');
    await vi.advanceTimersByTimeAsync(10);
    fail(new Error('nobody hears this'));
    expect(await waiting).toBe('late');
  });

  it('waits as long as a timer can when the limit is longer', async () => {
    const told: string[] = [];
    void within(Number.POSITIVE_INFINITY, new Promise(() => undefined), () => told.push('late'));
    await vi.advanceTimersByTimeAsync(MOST_TIMER_MS - 1);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual(['late']);
  });
});
