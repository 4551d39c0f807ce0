import { tagOf } from '../shared/realm.ts';

/** The longest wait that an error can ask for: 24 hours, in milliseconds. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

// The symbols are registered, so that two copies of this package in one process know each other's errors.
const NON_RETRYABLE: unique symbol = /* @__PURE__ */ Symbol.for('pathfinder.webhooks.NonRetryableError');
const RETRY_AFTER: unique symbol = /* @__PURE__ */ Symbol.for('pathfinder.webhooks.RetryAfterError');

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Thrown by a handler to say that running it again cannot help: no further attempt is made, a queued event becomes dead. */
export class NonRetryableError extends Error {
  override get name(): string {
    return 'NonRetryableError';
  }

  /** @internal */
  get [NON_RETRYABLE](): true {
    return true;
  }
}

/** Options of a {@link RetryAfterError}. */
export interface RetryAfterErrorOptions {
  /** What led to this error. */
  readonly cause?: unknown;
  /** Milliseconds since 1970, to read a date against. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Thrown by a handler to say when to run it again; stronger than the backoff. It still counts as a failure. */
export class RetryAfterError extends Error {
  /** The wait in milliseconds from when the error was made, 0 to 24 h. */
  readonly retryAfterMs: number;

  /**
   * @param retryAfter - Milliseconds; or a moment; or a duration with its unit (`'500ms' '30s' '5m' '2h' '1d'`); or the
   *   value of a `Retry-After` header as it came: seconds, or a date. A moment in the past is 0; the most is 24 h.
   * @throws TypeError when `retryAfter` is none of these.
   */
  constructor(message: string, retryAfter: number | Date | string, options: RetryAfterErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    const waitMs = readWaitMs(retryAfter, (options.now ?? Date.now)(), 1);
    if (waitMs === undefined) {
      throw new TypeError("Pass retryAfter as milliseconds, a Date, a duration such as '30s' or a Retry-After header.");
    }
    this.retryAfterMs = waitMs;
  }

  override get name(): string {
    return 'RetryAfterError';
  }

  /** @internal */
  get [RETRY_AFTER](): true {
    return true;
  }
}

/** Whether `error` is a {@link NonRetryableError}, of this copy of the package or another one, or named like it. Never throws. */
export function isNonRetryableError(error: unknown): boolean {
  try {
    return isObject(error) && (error[NON_RETRYABLE] === true || error.name === 'NonRetryableError');
  } catch {
    return false;
  }
}

/**
 * The wait that an error asks for, in milliseconds from `now`, 0 to 24 h; `undefined` when it asks for none. Read from,
 * first found first: a {@link RetryAfterError} of any copy of the package; `error.retryAfter`, where a number means seconds;
 * the `retry-after` of `error.response.headers` or `error.headers`, be they an object or a `Headers`. Never throws.
 *
 * @param now - Milliseconds since 1970, to read dates against.
 */
export function retryAfterMs(error: unknown, now: number): number | undefined {
  try {
    if (!isObject(error)) return undefined;
    const ownMs = isRetryAfterError(error) ? readWaitMs(error.retryAfterMs, now, 1) : undefined;
    return (
      ownMs ??
      readWaitMs(error.retryAfter, now, 1000) ??
      headerWaitMs(isObject(error.response) ? error.response.headers : undefined, now) ??
      headerWaitMs(error.headers, now)
    );
  } catch {
    // A getter of the error threw: it asks for nothing that can be read.
    return undefined;
  }
}

function isRetryAfterError(error: Record<PropertyKey, unknown>): boolean {
  return error[RETRY_AFTER] === true || error.name === 'RetryAfterError';
}

function headerWaitMs(headers: unknown, now: number): number | undefined {
  if (!isObject(headers)) return undefined;
  const plain = headers['retry-after'] ?? headers['Retry-After'];
  return readWaitMs(typeof headers.get === 'function' ? headers.get('retry-after') : plain, now, 1000);
}

function readWaitMs(wait: unknown, now: number, numberUnitMs: number): number | undefined {
  if (typeof wait === 'number') return clampWaitMs(wait * numberUnitMs);
  if (tagOf(wait) === 'Date') return clampWaitMs((wait as Date).getTime() - now);
  if (typeof wait !== 'string' || wait.length > 64) return undefined;
  const [, amount, unit = 's'] = /^\s*(\d+(?:\.\d+)?) ?(ms|[smhd])?\s*$/.exec(wait) ?? [];
  if (amount !== undefined) return clampWaitMs(Number(amount) * (UNIT_MS[unit] ?? 0));
  // Date.parse takes almost anything: ask for a time of day. Of the three forms of an HTTP date, one names no zone.
  if (!/\d\d:\d\d/.test(wait)) return undefined;
  return clampWaitMs(Date.parse(/(?:GMT|Z|[+-]\d\d:?\d\d)\s*$/.test(wait) ? wait : `${wait} GMT`) - now);
}

function clampWaitMs(waitMs: number): number | undefined {
  return Number.isFinite(waitMs) ? Math.min(Math.max(Math.ceil(waitMs), 0), MAX_RETRY_AFTER_MS) : undefined;
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}
