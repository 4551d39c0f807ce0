import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  letterKey,
  letterNumber,
  readAddress,
  readAddresses,
  readQuery,
  readReplay,
  replayPaced,
} from '../../../src/engines/shared/dead-letters.ts';

const ADDRESS = 'The address of a dead letter must be the `key` that list() gave, or { id, tenant }.';

describe('the address of a dead letter', () => {
  it.each([
    ['letter_12', { letter: '12' }],
    [{ key: 'letter_a-B_9', id: 'evt_1' }, { letter: 'a-B_9' }],
    [{ key: `letter_${'a'.repeat(64)}` }, { letter: 'a'.repeat(64) }],
    [{ id: 'evt_1' }, { id: 'evt_1', tenant: undefined }],
    [
      { id: 'evt_1', tenant: 'acme' },
      { id: 'evt_1', tenant: 'acme' },
    ],
    [
      { key: 'evt_1', id: 'evt_1' },
      { id: 'evt_1', tenant: undefined },
    ],
  ])('%j is read as %j', (address, read) => {
    expect(readAddress(address as never)).toEqual(read);
  });

  it.each([
    'evt_1',
    'letter_',
    `letter_${'a'.repeat(65)}`,
    'letter_1 ',
    'a letter_1',
    Object.assign(() => undefined, { id: 'evt_1' }),
    { id: '' },
    { id: 7 },
    { id: 'evt_1', tenant: 7 },
    { key: 'evt_1' },
    {},
    null,
    undefined,
    7,
  ])('%j is rejected', (address) => {
    expect(() => readAddress(address as never)).toThrow(new TypeError(ADDRESS));
  });

  it('is rejected in a list that is none', () => {
    expect(readAddresses(['letter_1'])).toEqual([{ letter: '1' }]);
    expect(() => readAddresses('letter_1' as never)).toThrow(
      new TypeError('The addresses of dead letters must be an array.'),
    );
  });

  it('is a number for an engine whose names are numbers', () => {
    expect(letterKey(12)).toBe('letter_12');
    expect(['1', '12', '9'.repeat(15), '0', '01', '1x', 'x1', '', '9'.repeat(16)].map(letterNumber)).toEqual([
      1,
      12,
      999_999_999_999_999,
      ...Array(6).fill(undefined),
    ]);
  });
});

describe('the filter of dead letters', () => {
  const all = { reason: undefined, exact: undefined, prefix: '', tenant: undefined, sinceMs: 0, limit: 100 };

  it.each([
    [{}, all],
    [{ type: '*' }, all],
    [{ type: 'user.*' }, { ...all, prefix: 'user.' }],
    [{ type: 'user.created' }, { ...all, exact: 'user.created', prefix: undefined }],
    [
      { reason: 'poison', tenant: 'acme', sinceMs: 5, limit: 7 },
      { ...all, reason: 'poison', tenant: 'acme', sinceMs: 5, limit: 7 },
    ],
  ] as const)('%j is read as %j', (query, filter) => {
    expect(readQuery(query)).toEqual(filter);
  });

  it.each([
    [{ reason: 'gone' }, "`reason` must be 'failed', 'unhandled' or 'poison'."],
    [{ type: 7 }, '`type` must be an event type or pattern.'],
    [{ tenant: 7 }, '`tenant` must be a string.'],
    [{ sinceMs: Number.NaN }, '`sinceMs` must be a time in Unix milliseconds.'],
    [{ limit: 0 }, '`limit` must be a whole number from 1.'],
    [{ limits: 1 }, 'deadLetters has no option `limits`. Did you mean `limit`?'],
  ])('%j is rejected', (query, message) => {
    expect(() => readQuery(query as never)).toThrow(new TypeError(message));
  });
});

describe('a replay', () => {
  it('keeps steps and knows no rate unless it is told otherwise', () => {
    const { signal } = new AbortController();
    expect([readReplay({}), readReplay({ steps: 'clear', ratePerSecond: 5, signal })]).toEqual([
      { keepSteps: true, ratePerSecond: Number.POSITIVE_INFINITY, signal: undefined },
      { keepSteps: false, ratePerSecond: 5, signal },
    ]);
  });

  it.each([
    [{ steps: 'some' }, "`steps` must be 'keep' or 'clear'."],
    [{ ratePerSecond: 0 }, '`ratePerSecond` must be a number above 0.'],
    [{ rate: 1 }, 'replay has no option `rate`. It knows steps, ratePerSecond, signal.'],
  ])('with %j is rejected', (options, message) => {
    expect(() => readReplay(options as never)).toThrow(new TypeError(message));
  });

  it('without a rate takes 256 letters at once', async () => {
    const sizes: number[] = [];
    const letters = Array.from({ length: 512 }, (_, i) => i);
    const replayed = await replayPaced(letters, readReplay({}), async (some) => {
      sizes.push(some.length);
      return some.length;
    });
    expect([replayed, sizes]).toEqual([512, [256, 256]]);
  });

  it('with a rate takes one letter at a time, and stops with its signal', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const stop = new AbortController();
    const atMs: number[] = [];
    const startMs = performance.now();
    const replay = replayPaced([1, 2, 3, 4], readReplay({ ratePerSecond: 4, signal: stop.signal }), async (some) => {
      atMs.push(performance.now() - startMs);
      return some.length;
    });
    replay.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(600);
    expect(atMs).toEqual([0, 250, 500]);
    const reason = new Error('stopped');
    stop.abort(reason);
    await expect(replay).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(1000);
    expect(atMs).toHaveLength(3);
  });
});
