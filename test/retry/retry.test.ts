import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  isNonRetryableError,
  MAX_RETRY_AFTER_MS,
  NonRetryableError,
  RetryAfterError,
  retryAfterMs,
} from '../../src/retry/errors.ts';
import {
  backoffMs,
  IN_PROCESS_RETRY,
  QUEUED_RETRY,
  type RetryPolicyOptions,
  retryDelayMs,
  retryPolicy,
} from '../../src/retry/policy.ts';
import { type RetryOptions, retry, WebhookRetry } from '../../src/retry/retry.ts';
import { sleep } from '../../src/shared/time.ts';

const NOW = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const almostOne = () => 1 - Number.EPSILON;
const half = () => 0.5;

const policies: fc.Arbitrary<RetryPolicyOptions> = fc.record({
  attempts: fc.integer({ min: 1, max: 30 }),
  baseMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
  capMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  jitter: fc.constantFrom('full', 'equal', 'none'),
  schedule: fc.option(fc.array(fc.nat(1e9), { minLength: 1 }), { nil: undefined }),
});
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Waits nothing, and remembers how long it should have. */
function recordedSleep() {
  const waitsMs: number[] = [];
  const sleep = (ms: number) => {
    waitsMs.push(ms);
    return Promise.resolve();
  };
  return { waitsMs, sleep };
}

/** Work that throws each of `errors` once, then returns the number of the run. */
function failing(...errors: readonly unknown[]) {
  return vi.fn((attempt: number) => {
    if (attempt <= errors.length) throw errors[attempt - 1];
    return attempt;
  });
}

/** What `promise` rejects with, boxed, because `undefined` can be thrown as well. */
function rejection(promise: Promise<unknown>): Promise<{ readonly thrown: unknown }> {
  return promise.then(
    () => expect.unreachable('the promise was fulfilled'),
    (thrown: unknown) => ({ thrown }),
  );
}

/** As the runtime's own errors often are, such as that of a refused connection. */
function withoutMessage(error: Error): Error {
  error.message = '';
  return error;
}

/** An object every use of which throws. */
function hostile(target: object = {}): object {
  const refuse = () => {
    throw new Error('hands off');
  };
  return new Proxy(target, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse });
}

describe('backoffMs', () => {
  test('doubles the ceiling up to the cap', () => {
    const policy = retryPolicy({ baseMs: 100, factor: 2, capMs: 1000, jitter: 'none' }, IN_PROCESS_RETRY);
    expect([1, 2, 3, 4, 5, 6, 5000].map((n) => backoffMs(n, policy, half))).toEqual([
      100, 200, 400, 800, 1000, 1000, 1000,
    ]);
  });

  test('returns 0 with a base of 0 after any number of failures', () => {
    const policy = retryPolicy({ baseMs: 0, factor: 10 }, IN_PROCESS_RETRY);
    expect([1, 2, 5000].map((n) => backoffMs(n, policy, almostOne))).toEqual([0, 0, 0]);
  });

  test('treats zero failures as one', () => {
    expect(backoffMs(0, QUEUED_RETRY, half)).toBe(1500);
  });

  test('follows a schedule and repeats its last entry', () => {
    const policy = retryPolicy({ schedule: [10, 20, 500], jitter: 'none' }, QUEUED_RETRY);
    expect([1, 2, 3, 4, 99].map((n) => backoffMs(n, policy, half))).toEqual([10, 20, 500, 500, 500]);
  });

  test('gives queued events 8.7 to 17.5 hours by default', () => {
    const horizonMs = (random: () => number) =>
      Array.from({ length: QUEUED_RETRY.attempts - 1 }, (_, i) => backoffMs(i + 1, QUEUED_RETRY, random)).reduce(
        (a, b) => a + b,
      );
    expect(Math.round((horizonMs(() => 0) / HOUR_MS) * 10) / 10).toBe(8.7);
    expect(Math.round((horizonMs(almostOne) / HOUR_MS) * 10) / 10).toBe(17.5);
  });

  test('stays within the range of its jitter and returns integers', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 2000 }), chances, (options, failures, chance) => {
        const policy = retryPolicy(options, QUEUED_RETRY);
        const ceilingMs = backoffMs(failures, { ...policy, jitter: 'none' }, half);
        const delayMs = backoffMs(failures, policy, () => chance);
        const shareOfCeiling = { full: 0, equal: 0.5, none: 1 }[policy.jitter];
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeLessThanOrEqual(ceilingMs);
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(ceilingMs * shareOfCeiling));
      }),
    );
  });

  test('never shrinks with further failures at the same random value', () => {
    fc.assert(
      fc.property(policies, chances, (options, chance) => {
        const policy = retryPolicy({ ...options, schedule: undefined }, QUEUED_RETRY);
        const delaysMs = Array.from({ length: 20 }, (_, i) => backoffMs(i + 1, policy, () => chance));
        expect(delaysMs).toEqual([...delaysMs].sort((a, b) => a - b));
      }),
    );
  });
});

describe('retryPolicy', () => {
  test('fills missing options with the defaults', () => {
    expect(retryPolicy({}, QUEUED_RETRY)).toEqual(QUEUED_RETRY);
    expect(retryPolicy({ attempts: 5, baseMs: undefined }, IN_PROCESS_RETRY)).toEqual({
      attempts: 5,
      baseMs: 200,
      factor: 2,
      capMs: 30_000,
      jitter: 'full',
    });
  });

  test('turns a schedule of three into four attempts that wait at least half of each entry', () => {
    const schedule = [1000, 5000, 60_000];
    const policy = retryPolicy({ schedule }, IN_PROCESS_RETRY);
    schedule.push(1);
    expect(policy).toEqual({ ...IN_PROCESS_RETRY, attempts: 4, jitter: 'equal', schedule: [1000, 5000, 60_000] });
  });

  const WHOLE = 'a whole number from 1';
  const DELAY = 'a number of milliseconds from 0 and at most 2147483647';
  const LIST = 'an array of at least one such number: a number of milliseconds from 0 and at most 2147483647';

  test.each([
    ['attempts', 0, WHOLE],
    ['attempts', 1.5, WHOLE],
    ['attempts', Number.NaN, WHOLE],
    ['attempts', '3', WHOLE],
    ['baseMs', -1, DELAY],
    ['baseMs', Number.POSITIVE_INFINITY, DELAY],
    ['baseMs', '200', DELAY],
    ['factor', 0.5, 'a number from 1'],
    ['factor', Number.NaN, 'a number from 1'],
    ['capMs', -1, DELAY],
    ['capMs', null, DELAY],
    ['jitter', 'some', "'full', 'equal' or 'none'"],
    ['schedule', [], LIST],
    ['schedule', [1, -1], LIST],
    ['schedule', ['1s'], LIST],
    ['schedule', '1s', LIST],
  ])('rejects %s %j with a TypeError that names the option', (option, value, wanted) => {
    const options = { [option]: value } as RetryPolicyOptions;
    expect(() => retryPolicy(options, QUEUED_RETRY)).toThrow(
      new TypeError(`The retry option ${option} must be ${wanted}.`),
    );
  });

  test('accepts unlimited attempts', () => {
    expect(retryPolicy({ attempts: Number.POSITIVE_INFINITY }, QUEUED_RETRY).attempts).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('NonRetryableError', () => {
  test('has a name, a cause and no other property', () => {
    const error = new NonRetryableError('no such user', { cause: 'because' });
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('NonRetryableError: no such user');
    expect(Object.getOwnPropertyNames(error).sort()).toEqual(['cause', 'message', 'stack']);
    expect(Object.getOwnPropertySymbols(error)).toEqual([]);
  });

  test('is recognized when created here, by a subclass, by another copy of the package, or by name', () => {
    class NoSuchUser extends NonRetryableError {
      override get name() {
        return 'NoSuchUser';
      }
    }
    const ofAnotherCopy = Object.assign(new Error('x'), {
      [Symbol.for('pathfinder.webhooks.NonRetryableError')]: true,
    });
    const named = Object.assign(new Error('x'), { name: 'NonRetryableError' });
    const errors = [new NonRetryableError('x'), new NoSuchUser('x'), ofAnotherCopy, named];
    expect(errors.map(isNonRetryableError)).toEqual([true, true, true, true]);
  });

  test.each([
    undefined,
    null,
    0,
    '',
    'NonRetryableError',
    Symbol('x'),
    {},
    new Error('NonRetryableError'),
    Object.create(null),
    hostile(),
  ])('is not confused with other thrown values (%#)', (thrown) => {
    expect(isNonRetryableError(thrown)).toBe(false);
  });
});

describe('RetryAfterError', () => {
  test('is not a NonRetryableError', () => {
    expect(isNonRetryableError(new RetryAfterError('busy', 1))).toBe(false);
  });

  const waitMs = (retryAfter: number | Date | string) =>
    new RetryAfterError('busy', retryAfter, { now: () => NOW }).retryAfterMs;

  test.each([
    [1500, 1500],
    [0, 0],
    [0.2, 1],
    [-5, 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['1.25 s', 1250],
    ['5m', 300_000],
    ['2h', 2 * HOUR_MS],
    ['1d', 24 * HOUR_MS],
    ['120', 120_000],
    [new Date(NOW + 7000), 7000],
    [new Date(NOW - 7000), 0],
    [new Date(NOW + 7000).toUTCString(), 7000],
    [new Date(NOW + 7000).toISOString(), 7000],
    ['2d', MAX_RETRY_AFTER_MS],
    [1e15, MAX_RETRY_AFTER_MS],
    ['9'.repeat(60), MAX_RETRY_AFTER_MS],
  ])('converts %j to %d ms', (retryAfter, ms) => {
    expect(waitMs(retryAfter)).toBe(ms);
    expect(retryAfterMs(new RetryAfterError('busy', retryAfter, { now: () => NOW }), NOW)).toBe(ms);
  });

  test.each([
    'soon',
    '',
    '-5',
    '30 seconds',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    new Date(Number.NaN),
    '12:99:99',
    '0'.repeat(65),
    null,
    {},
  ])('rejects %j with a TypeError', (retryAfter) => {
    expect(() => waitMs(retryAfter as string)).toThrow(
      new TypeError("Pass retryAfter as milliseconds, a Date, a duration such as '30s' or a Retry-After header."),
    );
  });

  test('has a name and one number', () => {
    const error = new RetryAfterError('busy', '1s');
    expect(String(error)).toBe('RetryAfterError: busy');
    expect(Object.getOwnPropertyNames(error).sort()).toEqual(['message', 'retryAfterMs', 'stack']);
    expect(new RetryAfterError('busy', 1, { cause: 'why' }).cause).toBe('why');
  });
});

describe('retryAfterMs', () => {
  const date = 'Thu, 01 Jan 2026 00:00:20 GMT';

  class Throttled extends RetryAfterError {
    override get name() {
      return 'Throttled';
    }
  }

  test.each([
    ['a subclass with a name of its own', () => new Throttled('x', 9), 9],
    ['an error made before', () => new RetryAfterError('x', '9s'), 9000],
  ])('reads %s as a delay', (_, error, ms) => {
    expect(retryAfterMs(error(), NOW)).toBe(ms);
  });

  test.each([
    [
      'of another copy of the package',
      { [Symbol.for('pathfinder.webhooks.RetryAfterError')]: true, retryAfterMs: 9 },
      9,
    ],
    ['named like it', { name: 'RetryAfterError', retryAfterMs: 9 }, 9],
    ['named like it, with a header for a wait', { name: 'RetryAfterError', retryAfter: '9' }, 9000],
    ['seconds', { retryAfter: 20 }, 20_000],
    ['seconds as text', { retryAfter: '20' }, 20_000],
    ['a date', { retryAfter: date }, 20_000],
    ['a Date', { retryAfter: new Date(NOW + 20_000) }, 20_000],
    ['an obsolete date', { retryAfter: 'Thursday, 01-Jan-26 00:00:20 GMT' }, 20_000],
    ['a date with an offset', { retryAfter: '2026-01-01T01:00:20+01:00' }, 20_000],
    ['a date with an offset in short', { retryAfter: 'Wed, 31 Dec 2025 23:00:20 -0100' }, 20_000],
    ['a date without a zone', { retryAfter: 'Thu Jan  1 00:00:20 2026' }, 20_000],
    ['a plain header', { response: { headers: { 'retry-after': '20' } } }, 20_000],
    ['a capital header', { response: { headers: { 'Retry-After': date } } }, 20_000],
    ['fetch headers', { response: new Response('', { headers: { 'Retry-After': '20' } }) }, 20_000],
    ['headers of the error', { headers: new Headers({ 'retry-after': date }) }, 20_000],
    ['what it says itself, before its headers', { retryAfter: 1, headers: { 'retry-after': '20' } }, 1000],
    ['its headers, when what it says is no wait', { retryAfter: 'soon', headers: { 'retry-after': '20' } }, 20_000],
    ['more than a day', { retryAfter: 1e9 }, MAX_RETRY_AFTER_MS],
    ['a moment in the past', { retryAfter: 'Thu, 01 Jan 2020 00:00:00 GMT' }, 0],
  ])('reads %s as a date', (_, error, ms) => {
    expect(retryAfterMs(error, NOW)).toBe(ms);
  });

  test.each([
    undefined,
    null,
    'retry later',
    new Error('x'),
    { retryAfter: null },
    { retryAfter: {} },
    { retryAfter: Number.NaN },
    { retryAfterMs: 5 },
    { response: null },
    { response: { headers: undefined } },
    { headers: new Headers() },
    { headers: { get: 5 } },
    { headers: { get: () => Promise.resolve('5') } },
    hostile(),
    { retryAfter: hostile() },
    { response: hostile() },
    { response: { headers: hostile() } },
  ])('returns undefined without a request to wait, and never throws (%#)', (error) => {
    expect(retryAfterMs(error, NOW)).toBe(undefined);
  });

  test('returns an integer from 0 to a day, or undefined, for any error', () => {
    const value = fc.oneof(fc.anything(), fc.string(), fc.integer().map(String), fc.date().map(String), fc.double());
    const error = fc.oneof(
      fc.anything(),
      fc.record({ retryAfter: value, name: fc.constantFrom('Error', 'RetryAfterError'), retryAfterMs: value }),
      fc.record({ response: fc.record({ headers: fc.record({ 'retry-after': value }) }) }),
    );
    fc.assert(
      fc.property(error, (thrown) => {
        const ms = retryAfterMs(thrown, NOW) ?? 0;
        expect(Number.isInteger(ms) && ms >= 0 && ms <= MAX_RETRY_AFTER_MS).toBe(true);
      }),
    );
  });
});

describe('retryDelayMs', () => {
  const delayMs = (error: unknown, random = almostOne) => retryDelayMs(error, 1, QUEUED_RETRY, random, NOW);

  test('returns the backoff when the error requests no delay', () => {
    expect(delayMs(new Error('x'), half)).toBe(1500);
  });

  test('returns the requested delay plus at most a tenth', () => {
    expect(delayMs(new RetryAfterError('x', 60_000), () => 0)).toBe(60_000);
    expect(delayMs(new RetryAfterError('x', 60_000))).toBe(65_999);
    expect(retryDelayMs({ retryAfter: 60 }, 1, { ...QUEUED_RETRY, jitter: 'none' }, almostOne, NOW)).toBe(60_000);
  });

  test('returns at most a day', () => {
    expect(delayMs(new RetryAfterError('x', '1d'))).toBe(MAX_RETRY_AFTER_MS);
  });

  test('returns the backoff when the error requests a delay of 0', () => {
    expect(delayMs({ retryAfter: 0 }, half)).toBe(1500);
    expect(delayMs(new RetryAfterError('x', new Date(0)), half)).toBe(1500);
  });
});

describe('retry', () => {
  test('returns the result of a successful first run without waiting', async () => {
    const { waitsMs, sleep } = recordedSleep();
    const work = failing();
    expect(await retry(work, { sleep })).toBe(1);
    expect(work.mock.calls).toEqual([[1, undefined]]);
    expect(waitsMs).toEqual([]);
  });

  test('makes three runs by default and waits a random part of 200, then 400 ms', async () => {
    const { waitsMs, sleep } = recordedSleep();
    expect(await retry(failing('a', 'b'), { sleep, random: half })).toBe(3);
    expect(waitsMs).toEqual([100, 200]);
  });

  test('calls onRetry after each failed run that another follows', async () => {
    const { sleep } = recordedSleep();
    const onRetry = vi.fn();
    const work = failing('a', 'b', 'c');
    expect(await rejection(retry(work, { sleep, onRetry, random: half }))).toEqual({ thrown: 'c' });
    expect(onRetry.mock.calls).toEqual([
      ['a', 1, 100],
      ['b', 2, 200],
    ]);
    expect(work).toHaveBeenCalledTimes(3);
  });

  test.each([
    undefined,
    null,
    0,
    '',
    'text',
    Object.freeze(new Error('frozen')),
    Object.freeze({}),
    Symbol('s'),
    hostile(new Error('x')),
  ])('rejects with the last thrown value, whatever it is (%#)', async (thrown) => {
    const { waitsMs, sleep } = recordedSleep();
    const work = () => {
      throw thrown;
    };
    const { thrown: rejected } = await rejection(retry(work, { sleep }));
    expect(Object.is(rejected, thrown)).toBe(true);
    expect(waitsMs).toHaveLength(2);
  });

  test('retries work that rejects and work that throws', async () => {
    const { sleep } = recordedSleep();
    const work = vi.fn(async (attempt: number) => (attempt < 2 ? Promise.reject(new Error('x')) : attempt));
    expect(await retry(work, { sleep })).toBe(2);
  });

  test('stops at a NonRetryableError', async () => {
    const { waitsMs, sleep } = recordedSleep();
    const error = new NonRetryableError('never');
    const work = failing(error);
    expect(await rejection(retry(work, { sleep }))).toEqual({ thrown: error });
    expect(work).toHaveBeenCalledTimes(1);
    expect(waitsMs).toEqual([]);
  });

  test('stops at an error that retryIf rejects', async () => {
    const { sleep } = recordedSleep();
    const work = failing('busy', 'gone', 'busy');
    expect(await rejection(retry(work, { sleep, retryIf: (error) => error === 'busy' }))).toEqual({ thrown: 'gone' });
    expect(work).toHaveBeenCalledTimes(2);
  });

  test('waits as long as the error requests', async () => {
    const { waitsMs, sleep } = recordedSleep();
    const errors = [new RetryAfterError('x', '30s'), { retryAfter: new Date(NOW + 5000).toUTCString() }];
    expect(await retry(failing(...errors), { sleep, now: () => NOW, random: () => 0 })).toBe(3);
    expect(waitsMs).toEqual([30_000, 5000]);
  });

  test('follows a schedule', async () => {
    const { waitsMs, sleep } = recordedSleep();
    const options: RetryOptions = { sleep, schedule: [10, 100, 1000], jitter: 'none' };
    expect(await rejection(retry(failing(1, 2, 3, 4, 5), options))).toEqual({ thrown: 4 });
    expect(waitsMs).toEqual([10, 100, 1000]);
  });

  test('makes no run when the signal has aborted before', async () => {
    const work = failing();
    expect(await rejection(retry(work, { signal: AbortSignal.abort('closing') }))).toEqual({ thrown: 'closing' });
    expect(work).not.toHaveBeenCalled();
  });

  test("stops a wait with the signal's reason as soon as it aborts", async () => {
    const controller = new AbortController();
    const work = failing('a', 'b');
    const waiting = rejection(retry(work, { signal: controller.signal, baseMs: 60_000, jitter: 'none' }));
    await setImmediate();
    controller.abort('closing');
    expect(await waiting).toEqual({ thrown: 'closing' });
    expect(work.mock.calls).toEqual([[1, controller.signal]]);
  });

  test('makes no further run when the signal aborts during one', async () => {
    const controller = new AbortController();
    const { waitsMs, sleep } = recordedSleep();
    const onRetry = vi.fn();
    const work = vi.fn(() => {
      controller.abort('closing');
      throw new Error('x');
    });
    const options = { signal: controller.signal, sleep, onRetry };
    expect(await rejection(retry(work, options))).toEqual({ thrown: 'closing' });
    expect(work).toHaveBeenCalledTimes(1);
    expect(onRetry).not.toHaveBeenCalled();
    expect(waitsMs).toEqual([]);
  });

  test('returns a result that arrives after the signal aborted', async () => {
    const controller = new AbortController();
    const work = () => {
      controller.abort();
      return 'done';
    };
    expect(await retry(work, { signal: controller.signal })).toBe('done');
  });

  test('rejects with a TypeError for invalid options before any run', async () => {
    const work = failing();
    await expect(retry(work, { attempts: 0 })).rejects.toThrow(TypeError);
    expect(work).not.toHaveBeenCalled();
  });

  test('makes at most `attempts` runs and waits once between two', async () => {
    await fc.assert(
      fc.asyncProperty(policies, fc.nat(40), chances, async (options, failures, chance) => {
        const { waitsMs, sleep } = recordedSleep();
        const attempts = options.attempts ?? 0;
        const work = failing(...Array.from({ length: failures }, (_, i) => i));
        const outcome = await retry(work, { ...options, sleep, random: () => chance }).catch(
          (error) => `threw ${error}`,
        );
        expect(outcome).toBe(failures < attempts ? failures + 1 : `threw ${attempts - 1}`);
        expect(work).toHaveBeenCalledTimes(Math.min(failures + 1, attempts));
        expect(waitsMs).toHaveLength(Math.min(failures, attempts - 1));
      }),
    );
  });
});

describe('sleep', () => {
  test('resolves with undefined', async () => {
    expect(await sleep(1)).toBe(undefined);
  });

  test('lets due events run first with a delay of 0', async () => {
    const order: string[] = [];
    const timer = new Promise<void>((resolve) => {
      setTimeout(() => {
        order.push('event');
        resolve();
      }, 0);
    });
    await sleep(0).then(() => order.push('slept'));
    await timer;
    expect(order).toEqual(['event', 'slept']);
  });

  test('rejects with the reason of a signal at once and leaves no listener behind', async () => {
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const waiting = rejection(sleep(60_000, controller.signal));
    await sleep(0, controller.signal);
    controller.abort('closing');
    expect(await waiting).toEqual({ thrown: 'closing' });
    expect(await rejection(sleep(0, controller.signal))).toEqual({ thrown: 'closing' });
    expect(add).toHaveBeenCalledTimes(2);
    expect(remove.mock.calls).toEqual([['abort', add.mock.calls[1]?.[1]]]);
  });

  test('waits longer than a single timer can', async () => {
    vi.useFakeTimers();
    try {
      const days = 86_400_000;
      const woken = vi.fn();
      void sleep(60 * days).then(woken);
      await vi.advanceTimersByTimeAsync(60 * days - 1);
      expect(woken).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(woken).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([-1, Number.NaN, '1s' as unknown as number])('rejects %j with a TypeError', async (ms) => {
    await expect(sleep(ms)).rejects.toThrow(new TypeError('Pass sleep a number of milliseconds from 0.'));
  });
});

describe('WebhookRetry', () => {
  const event = { id: 'evt_1', type: 'user.created' };

  test('counts attempts as documented and waits a random part of each documented delay', async () => {
    const { waitsMs, sleep } = recordedSleep();
    const handler = vi.fn().mockRejectedValue(new Error('CRM is down'));
    const result = await new WebhookRetry(3, 1000, { sleep, random: half }).process(event, handler);
    expect(result).toEqual({ success: false, attempts: 3, error: 'CRM is down' });
    expect(handler.mock.calls).toEqual([[event], [event], [event]]);
    expect(waitsMs).toEqual([500, 1000]);
  });

  test('waits exactly the documented delays without jitter', async () => {
    const { waitsMs, sleep } = recordedSleep();
    await new WebhookRetry(7, undefined, { sleep, jitter: 'none' }).process(event, () => Promise.reject());
    expect(waitsMs).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000]);
  });

  test('returns the number of the attempt that succeeded', async () => {
    const { sleep } = recordedSleep();
    const handler = vi.fn().mockRejectedValueOnce(new Error('x')).mockResolvedValue('ignored');
    expect(await new WebhookRetry(3, 1000, { sleep }).process(event, handler)).toEqual({ success: true, attempts: 2 });
  });

  test('has the documented defaults', () => {
    const { maxRetries, baseDelay } = new WebhookRetry();
    expect({ maxRetries, baseDelay }).toEqual({ maxRetries: 3, baseDelay: 1000 });
  });

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['text', 'text'],
    ['', ''],
    [42, '42'],
    [Symbol('s'), 'Symbol(s)'],
    [new Error('message'), 'message'],
    [withoutMessage(new TypeError('x')), 'TypeError'],
    [withoutMessage(new AggregateError([], 'x')), 'AggregateError'],
    [{ message: 'of an object' }, 'of an object'],
    [{ message: 5 }, '[object Object]'],
    [Object.create(null), 'The handler threw something that is no text.'],
    [hostile(), 'The handler threw something that is no text.'],
  ])('returns the error as text, whatever was thrown (%#)', async (thrown, error) => {
    const handler = () => {
      throw thrown;
    };
    expect(await new WebhookRetry(1).process(event, handler)).toEqual({ success: false, attempts: 1, error });
  });

  test('does not retry a NonRetryableError', async () => {
    const handler = () => Promise.reject(new NonRetryableError('no such user'));
    expect(await new WebhookRetry().process(event, handler)).toEqual({
      success: false,
      attempts: 1,
      error: 'no such user',
    });
  });

  test("resolves with the signal's reason as soon as it aborts", async () => {
    const controller = new AbortController();
    const retrying = new WebhookRetry(3, 60_000, { signal: controller.signal, jitter: 'none' });
    const waiting = retrying.process(event, () => Promise.reject(new Error('x')));
    await setImmediate();
    controller.abort(new Error('closing'));
    expect(await waiting).toEqual({ success: false, attempts: 1, error: 'closing' });
    expect(await retrying.process(event, () => 'unused')).toEqual({ success: false, attempts: 0, error: 'closing' });
  });

  test('logs the escaped id and type of the event for each retry, and nothing else of it', async () => {
    const { sleep } = recordedSleep();
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const err = new Error('x');
    const hostileEvent = { id: 'evt\n\u001b[2J\u202e', type: `t${'x'.repeat(300)}`, data: { email: 'jo@example.com' } };
    await new WebhookRetry(2, 10, { sleep, logger, jitter: 'none' }).process(hostileEvent, () => Promise.reject(err));
    expect(logger.warn.mock.calls).toEqual([
      [
        { event_id: 'evt\\u{a}\\u{1b}[2J\\u{202e}', event_type: `t${'x'.repeat(254)}`, attempt: 1, delayMs: 10, err },
        'Webhook handler failed; it runs again',
      ],
    ]);
  });

  test('logs no id or type that is not text', async () => {
    const { sleep } = recordedSleep();
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const event = { id: 5, type: { toString: () => 'user.created' } };
    await new WebhookRetry(2, 10, { sleep, logger }).process(event, () => Promise.reject('x'));
    expect(logger.warn.mock.calls[0]?.[0]).toMatchObject({ event_id: undefined, event_type: undefined });
  });

  test('survives a throwing logger and an invalid event', async () => {
    const { sleep } = recordedSleep();
    const broken = () => {
      throw new Error('disk full');
    };
    const logger = { debug: broken, info: broken, warn: broken, error: broken };
    const retrying = new WebhookRetry(2, 10, { sleep, logger });
    const outcomes = [undefined, null, 'text', hostile()].map((odd) =>
      retrying.process(odd, () => Promise.reject('x')),
    );
    expect(await Promise.all(outcomes)).toEqual(Array(4).fill({ success: false, attempts: 2, error: 'x' }));
  });

  test.each([
    [0, 1000],
    [-1, 1000],
    [1.5, 1000],
    [3, -1],
    [3, Number.NaN],
  ])('rejects %d attempts with a delay of %d ms at construction', (maxRetries, baseDelay) => {
    expect(() => new WebhookRetry(maxRetries, baseDelay)).toThrow(TypeError);
  });
});
