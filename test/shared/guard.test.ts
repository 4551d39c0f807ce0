import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { atOnce, guarded, unheeded } from '../../src/shared/guard.ts';
import { thenableOf } from '../support/receiver.ts';

function noteUnhandled(): unknown[] {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  return unhandled;
}

const error = new Error('canary');

it('a call whose answer counts returns it, and a throw becomes a rejection', async () => {
  expect(await guarded(() => 1)).toBe(1);
  expect(await guarded(() => thenableOf(2))).toBe(2);
  const throws = () => {
    throw error;
  };
  await expect(guarded(throws)).rejects.toBe(error);
});

it('a call that cannot affect the outcome may throw or reject, which is logged', async () => {
  const unhandled = noteUnhandled();
  const failed = vi.fn();
  const ways = [() => Promise.reject(error), () => 1, () => thenableOf(1), () => undefined];
  for (const way of ways) expect(unheeded(way, failed)).toBeUndefined();
  unheeded(() => {
    throw error;
  }, failed);
  unheeded(() => Promise.reject(error));
  await setImmediate();
  expect([failed.mock.calls, unhandled]).toEqual([[[error], [error]], []]);
});

it('a promise returned where a value is expected is passed on and never unhandled', async () => {
  const unhandled = noteUnhandled();
  const rejected = Promise.reject(error);
  expect([atOnce(rejected), atOnce('text')]).toEqual([rejected, 'text']);
  await setImmediate();
  expect(unhandled).toEqual([]);
});
