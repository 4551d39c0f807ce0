import { logAboutEvent, type WebhookLogger } from '../report/logger.ts';
import { checkNames, type OptionNames } from '../shared/check.ts';
import { messageOf } from '../shared/text.ts';
import { sleep } from '../shared/time.ts';
import { isNonRetryableError, MAX_RETRY_AFTER_MS } from './errors.ts';
import { IN_PROCESS_RETRY, policyOf, RETRY_POLICY_NAMES, type RetryPolicyOptions, retryDelayMs } from './policy.ts';

/** How to wait between runs, and what to inject. */
export interface RetryWaitOptions {
  /** Ends a wait at once. It is also handed to the work, which ends itself. */
  readonly signal?: AbortSignal | undefined;
  /** `false` makes this error the last one. What it throws ends the retries. Default: all but `NonRetryableError`. */
  readonly retryIf?: ((error: unknown) => boolean) | undefined;
  /** Told before each wait which run failed, from 1, and how long the wait is. What it throws ends the retries. */
  readonly onRetry?: ((error: unknown, attempt: number, delayMs: number) => void) | undefined;
  /** 0 up to, but without, 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Milliseconds since 1970, to read dates in an error against. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default {@link sleep}. */
  readonly sleep?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

const WAIT_NAMES: OptionNames<RetryWaitOptions> = {
  signal: true,
  retryIf: true,
  onRetry: true,
  random: true,
  now: true,
  sleep: true,
};

/**
 * Options of {@link retry}. Defaults: `attempts` 3, `baseMs` 200, `factor` 2, `capMs` 30,000, `jitter` `full`; with a
 * `schedule` one attempt more than its entries, and `equal`.
 */
export interface RetryOptions extends RetryPolicyOptions, RetryWaitOptions {}

/**
 * Runs `work` until it succeeds, with full-jitter exponential backoff between the runs. A `NonRetryableError` ends it at
 * once; what an error asks for (`RetryAfterError`, `retryAfter`, a `retry-after` header) replaces the backoff, up to 24 h.
 *
 * @param work - Given the number of this run, from 1, and the signal.
 * @returns What `work` returned.
 * @throws The last error, as it was thrown; the signal's reason once it has aborted; `TypeError` for options that make no sense.
 */
export async function retry<T>(
  work: (attempt: number, signal: AbortSignal | undefined) => T | Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  checkNames('retry', options, { ...RETRY_POLICY_NAMES, ...WAIT_NAMES });
  const policy = policyOf(options, IN_PROCESS_RETRY);
  const { signal, retryIf, onRetry, random = Math.random, now = Date.now, sleep: wait = sleep } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work(attempt, signal);
    } catch (error) {
      if (attempt >= policy.attempts || isNonRetryableError(error) || (retryIf && !retryIf(error))) throw error;
      signal?.throwIfAborted();
      const delayMs = retryDelayMs(error, attempt, policy, random, now());
      onRetry?.(error, attempt, delayMs);
      await wait(delayMs, signal);
    }
  }
}

/** Options of a {@link WebhookRetry}. */
export interface WebhookRetryOptions extends RetryWaitOptions {
  /** The ceiling of a wait never grows beyond this, in milliseconds. Default 24 h. */
  readonly capMs?: number | undefined;
  /** `none` waits exactly `baseDelay`, then twice that, and so on. Default `full`. */
  readonly jitter?: RetryPolicyOptions['jitter'];
  /** Told of each failed run that is followed by another (`warn`). Default: nobody. */
  readonly logger?: WebhookLogger | undefined;
}

/** How {@link WebhookRetry.process} ended: after how many runs, and with which error message. */
export type WebhookRetryResult =
  | { readonly success: true; readonly attempts: number }
  | { readonly success: false; readonly attempts: number; readonly error: string };

/**
 * Runs a handler for an event until it succeeds, in this process: what it has not finished is lost with the process, see
 * the queues for what is not. As documented, but for jitter: a wait is a random part of `baseDelay`, then of twice that, and so on.
 *
 * @example
 * ```ts
 * const result = await new WebhookRetry(5).process(event, sendWelcomeEmail);
 * if (!result.success) console.error(result.error);
 * ```
 */
export class WebhookRetry {
  /** Runs in all, the first included. */
  readonly maxRetries: number;
  /** The ceiling of the first wait, in milliseconds. */
  readonly baseDelay: number;
  readonly #options: WebhookRetryOptions;

  /**
   * @param maxRetries - Runs in all, the first included, as documented: a whole number from 1. Default 3.
   * @param baseDelay - The ceiling of the first wait, in milliseconds. Default 1000.
   * @throws TypeError when one of them, or an option, makes no sense.
   */
  constructor(maxRetries = 3, baseDelay = 1000, options: WebhookRetryOptions = {}) {
    this.maxRetries = maxRetries;
    this.baseDelay = baseDelay;
    checkNames('WebhookRetry', options, { ...WAIT_NAMES, capMs: true, jitter: true, logger: true });
    this.#options = { ...options, capMs: options.capMs ?? MAX_RETRY_AFTER_MS };
    policyOf({ ...this.#options, attempts: maxRetries, baseMs: baseDelay }, IN_PROCESS_RETRY);
  }

  /**
   * Runs `handler` with `event`. Never rejects: a handler that failed for good, or a signal that aborted, is a result, with
   * the message of the error. A `NonRetryableError` is not retried; what an error asks for replaces the wait, up to 24 h.
   */
  async process<E>(event: E, handler: (event: E) => unknown): Promise<WebhookRetryResult> {
    const { logger, onRetry, ...options } = this.#options;
    let attempts = 0;
    const run = async () => {
      attempts++;
      await handler(event);
    };
    try {
      await retry(run, {
        ...options,
        attempts: this.maxRetries,
        baseMs: this.baseDelay,
        onRetry: (error, attempt, delayMs) => {
          logAboutEvent(
            logger,
            'warn',
            event,
            { attempt, delayMs, err: error },
            'Webhook handler failed; it runs again',
          );
          onRetry?.(error, attempt, delayMs);
        },
      });
      return { success: true, attempts };
    } catch (error) {
      return { success: false, attempts, error: messageOf(error, 'The handler threw something that is no text.') };
    }
  }
}
