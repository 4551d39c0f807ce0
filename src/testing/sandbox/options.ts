import { type RetryPolicy, type RetryPolicyOptions, retryPolicy } from '../../retry/policy.ts';
import { check, checkNames, type OptionNames } from '../../shared/check.ts';
import { MOST_TIMER_MS } from '../../shared/time.ts';

/** How a sandbox behaves. By default it delivers everything once, in order, and retries what fails. */
export interface SandboxOptions {
  /** The bearer token to demand. Default: a random one, see `sandbox.token`. */
  readonly token?: string | undefined;
  /** Default: any free one. */
  readonly port?: number | undefined;
  /**
   * What signs: the `secret` that a webhook was created with, or the `signing_key` of the answer. Pathfinder's page does
   * not say which; a webhook without a `secret` is signed with its `signing_key` in any case. Default `secret`.
   */
  readonly signWith?: 'secret' | 'signing_key' | undefined;
  /** Attempts and the waits between them. Default: 3 attempts, 50 ms, then twice that, at most 1 s, no jitter. */
  readonly retry?: RetryPolicyOptions | undefined;
  /** How many attempts run at a time. Default 1. */
  readonly concurrency?: number | undefined;
  /** Milliseconds before a delivery's first attempt, or the least and the most of them. Default 0. */
  readonly delayMs?: number | readonly [min: number, max: number] | undefined;
  /** The share of deliveries that come twice, 0 to 1. Default 0. */
  readonly duplicateRate?: number | undefined;
  /** The share of deliveries that let one to three later ones overtake them, 0 to 1. Default 0. */
  readonly reorderRate?: number | undefined;
  /** The share of attempts whose body is altered after signing, 0 to 1. Default 0. */
  readonly tamperRate?: number | undefined;
  /** Milliseconds until the whole reply to an attempt has to be there. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /** A whole number from 0 up to, but without, 2 ** 32, from which all chance and all ids come. Default: a random one. */
  readonly seed?: number | undefined;
  /** Event types to take besides the nineteen. */
  readonly eventTypes?: readonly string[] | undefined;
  /** Milliseconds since 1970, for `created` and the ledger. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

const NAMES: OptionNames<SandboxOptions> = {
  token: true,
  port: true,
  signWith: true,
  retry: true,
  concurrency: true,
  delayMs: true,
  duplicateRate: true,
  reorderRate: true,
  tamperRate: true,
  timeoutMs: true,
  seed: true,
  eventTypes: true,
  now: true,
};

/** @internal */
export interface SandboxSettings {
  readonly port: number;
  readonly signWith: 'secret' | 'signing_key';
  readonly retry: RetryPolicy;
  readonly concurrency: number;
  readonly delayMs: readonly [min: number, max: number];
  readonly duplicateRate: number;
  readonly reorderRate: number;
  readonly tamperRate: number;
  readonly timeoutMs: number;
  readonly eventTypes: readonly string[];
  readonly now: () => number;
}

const RETRY: RetryPolicy = { attempts: 3, baseMs: 50, factor: 2, capMs: 1000, jitter: 'none' };

/** Fills in the defaults. @throws TypeError for what makes no sense. @internal */
export function readSandboxOptions(options: SandboxOptions): SandboxSettings {
  checkNames('createSandbox', options, NAMES);
  const { port = 0, signWith = 'secret', concurrency = 1, delayMs = 0, timeoutMs = 5000 } = options;
  const { duplicateRate = 0, reorderRate = 0, tamperRate = 0, eventTypes = [], now = () => Date.now() } = options;
  const { seed = 0, token = 'none' } = options;
  const [minMs, maxMs] = typeof delayMs === 'number' ? [delayMs, delayMs] : delayMs;
  checkOption(isWhole(port, 0, 65_535), 'port', 'a whole number from 0 to 65535');
  checkOption(signWith === 'secret' || signWith === 'signing_key', 'signWith', "'secret' or 'signing_key'");
  checkOption(isWhole(concurrency, 1), 'concurrency', 'a whole number from 1');
  checkOption(
    minMs >= 0 && maxMs >= minMs && maxMs <= MOST_TIMER_MS,
    'delayMs',
    `milliseconds from 0, or [least, most], at most ${MOST_TIMER_MS}`,
  );
  checkOption(
    isWhole(timeoutMs, 1, MOST_TIMER_MS),
    'timeoutMs',
    `a whole number of milliseconds from 1 to ${MOST_TIMER_MS}`,
  );
  for (const [name, rate] of Object.entries({ duplicateRate, reorderRate, tamperRate })) {
    checkOption(rate >= 0 && rate <= 1, name, 'a number from 0 to 1');
  }
  checkOption(isWhole(seed, 0, 2 ** 32 - 1), 'seed', 'a whole number from 0 to 4294967295');
  checkOption(/^[\x21-\x7e]+$/.test(token), 'token', 'text of printable ASCII characters without spaces');
  const retry = retryPolicy(options.retry ?? {}, RETRY);
  return {
    port,
    signWith,
    retry,
    concurrency,
    delayMs: [minMs, maxMs],
    duplicateRate,
    reorderRate,
    tamperRate,
    timeoutMs,
    eventTypes,
    now,
  };
}

function isWhole(value: number, least: number, most = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function checkOption(ok: boolean, option: string, wanted: string): asserts ok {
  check(ok, `The sandbox option ${option}`, wanted);
}
