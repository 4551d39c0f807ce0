import { check, checkNames, type OptionNames } from '../shared/check.ts';
import { MOST_TIMER_MS } from '../shared/time.ts';
import { MAX_RETRY_AFTER_MS, retryAfterMs } from './errors.ts';

const DELAY = `a number of milliseconds from 0 and at most ${MOST_TIMER_MS}`;

/**
 * How much of a delay is chance. With `ceiling` the delay before jitter: `full` waits 0 to `ceiling`, `equal` waits half
 * of it to all of it, `none` waits exactly it.
 */
export type RetryJitter = 'full' | 'equal' | 'none';

/** When to run again and how often: every member is set. Made by `retryPolicy`. */
export interface RetryPolicy {
  /** Runs in all, the first included. After this many failures the work has failed for good. */
  readonly attempts: number;
  /** The ceiling after the first failure, in milliseconds. */
  readonly baseMs: number;
  /** What the ceiling is multiplied by after each further failure. */
  readonly factor: number;
  /** The ceiling never grows beyond this, in milliseconds. A `schedule` is not capped. */
  readonly capMs: number;
  /** How much of a delay is chance. */
  readonly jitter: RetryJitter;
  /** Ceilings in milliseconds, one for each failure, instead of base, factor and cap. The last one repeats. */
  readonly schedule?: readonly number[] | undefined;
}

/** The members of a {@link RetryPolicy} that somebody chose; the others keep the default of where it is used. */
export interface RetryPolicyOptions {
  /** Runs in all, the first included: a whole number from 1, or `Infinity`. With a `schedule`: one more than its entries. */
  readonly attempts?: number | undefined;
  /** The ceiling after the first failure, in milliseconds. */
  readonly baseMs?: number | undefined;
  /** What the ceiling is multiplied by after each further failure, from 1. */
  readonly factor?: number | undefined;
  /** The ceiling never grows beyond this, in milliseconds. */
  readonly capMs?: number | undefined;
  /** How much of a delay is chance. With a `schedule`: `equal`. */
  readonly jitter?: RetryJitter | undefined;
  /** Delays in milliseconds before jitter, one for each failure: the readable alternative. The last one repeats. */
  readonly schedule?: readonly number[] | undefined;
}

/** The default within a process: 3 runs, full jitter below 200 ms, then 400 ms, at most 30 s. */
export const IN_PROCESS_RETRY: RetryPolicy = { attempts: 3, baseMs: 200, factor: 2, capMs: 30_000, jitter: 'full' };

/**
 * The default of a queue: 12 failures, equal jitter below 2 s, 6 s, 18 s and so on, at most 6 h. Between first and last run
 * lie 8.7 to 17.5 hours: each delay has a floor, so that no streak of luck spends all attempts within one short outage.
 */
export const QUEUED_RETRY: RetryPolicy = {
  attempts: 12,
  baseMs: 2000,
  factor: 3,
  capMs: 21_600_000,
  jitter: 'equal',
};

/** The names of {@link RetryPolicyOptions}. */
export const RETRY_POLICY_NAMES: OptionNames<RetryPolicyOptions> = {
  attempts: true,
  baseMs: true,
  factor: true,
  capMs: true,
  jitter: true,
  schedule: true,
};

/**
 * Checks `options` and fills what they leave open from `defaults`.
 *
 * @throws TypeError for a name that is no option, and when a member is not a usable number, an unknown kind of jitter or an empty schedule.
 */
export function retryPolicy(options: RetryPolicyOptions, defaults: RetryPolicy): RetryPolicy {
  checkNames('retry', options, RETRY_POLICY_NAMES);
  return policyOf(options, defaults);
}

/** The same, for options that have other members beside. */
export function policyOf(options: RetryPolicyOptions, defaults: RetryPolicy): RetryPolicy {
  const { baseMs = defaults.baseMs, factor = defaults.factor, capMs = defaults.capMs } = options;
  const schedule = options.schedule ?? defaults.schedule;
  const attempts = options.attempts ?? (options.schedule ? options.schedule.length + 1 : defaults.attempts);
  const jitter = options.jitter ?? (options.schedule ? 'equal' : defaults.jitter);
  checkRetry(
    attempts >= 1 && (Number.isInteger(attempts) || attempts === Number.POSITIVE_INFINITY),
    'attempts',
    'a whole number from 1',
  );
  checkRetry(isDelay(baseMs), 'baseMs', DELAY);
  checkRetry(Number.isFinite(factor) && factor >= 1, 'factor', 'a number from 1');
  checkRetry(isDelay(capMs), 'capMs', DELAY);
  checkRetry(jitter === 'full' || jitter === 'equal' || jitter === 'none', 'jitter', "'full', 'equal' or 'none'");
  if (schedule === undefined) return { attempts, baseMs, factor, capMs, jitter };
  const listed = Array.isArray(schedule) && schedule.length > 0 && schedule.every(isDelay);
  checkRetry(listed, 'schedule', `an array of at least one such number: ${DELAY}`);
  return { attempts, baseMs, factor, capMs, jitter, schedule: [...schedule] };
}

/**
 * The wait after the `failures`th failure, in whole milliseconds, rounded down.
 *
 * @param failures - How often the work has failed, from 1.
 * @param policy - For example {@link QUEUED_RETRY}.
 * @param random - Like `Math.random`: 0 up to, but without, 1.
 */
export function backoffMs(failures: number, policy: RetryPolicy, random: () => number): number {
  const ceilingMs = delayCeilingMs(Math.max(failures, 1), policy);
  if (policy.jitter === 'none') return Math.floor(ceilingMs);
  const floorMs = policy.jitter === 'equal' ? ceilingMs / 2 : 0;
  return Math.floor(floorMs + random() * (ceilingMs - floorMs));
}

/**
 * The wait after `error`: what it asks for, see {@link retryAfterMs}, else {@link backoffMs}. Up to a tenth is added to a
 * wish, so that those who were told the same moment do not come back as one; never beyond 24 h, and not with the jitter
 * `none`. A wish for 0 says nothing about when, and would spend all attempts at once: it counts as none.
 *
 * @param error - What the work threw.
 * @param failures - How often it has failed, from 1.
 * @param random - Like `Math.random`.
 * @param now - Milliseconds since 1970, to read dates against.
 */
export function retryDelayMs(
  error: unknown,
  failures: number,
  policy: RetryPolicy,
  random: () => number,
  now: number,
): number {
  const wishMs = retryAfterMs(error, now);
  if (!wishMs) return backoffMs(failures, policy, random);
  const spreadMs = policy.jitter === 'none' ? 0 : Math.floor((random() * wishMs) / 10);
  return Math.min(wishMs + spreadMs, MAX_RETRY_AFTER_MS);
}

function delayCeilingMs(failures: number, { schedule, baseMs, factor, capMs }: RetryPolicy): number {
  if (schedule) return schedule[Math.min(failures, schedule.length) - 1] ?? 0;
  // A base of 0 times a factor that overflowed would be NaN.
  return baseMs === 0 ? 0 : Math.min(capMs, baseMs * factor ** (failures - 1));
}

function isDelay(ms: number): boolean {
  return typeof ms === 'number' && ms >= 0 && ms <= MOST_TIMER_MS;
}

function checkRetry(ok: boolean, option: string, wanted: string): void {
  check(ok, `The retry option ${option}`, wanted);
}
