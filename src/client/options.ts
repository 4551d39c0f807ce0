import { check, checkNames, type OptionNames } from '../shared/check.ts';
import { MOST_TIMER_MS } from '../shared/time.ts';
/** When a call that changes nothing by being repeated (`list`, `update`, `delete`) is made again. */
export interface ClientRetryOptions {
  /** Requests in all, the first included: a whole number from 1. Default 3. */
  readonly attempts?: number | undefined;
  /** The ceiling of the first wait, in milliseconds; it doubles, and the wait is a random part of it. Default 200. */
  readonly baseMs?: number | undefined;
  /** The ceiling never grows beyond this, in milliseconds. Default 5000. */
  readonly capMs?: number | undefined;
  /** A longer `Retry-After` than this, in milliseconds, is not waited for: the call fails at once. Default 20,000. */
  readonly maxRetryAfterMs?: number | undefined;
}

/** Options of a `PathfinderWebhooksClient`. */
export interface PathfinderWebhooksClientOptions {
  /** The bearer token of Pathfinder's API. */
  readonly token: string;
  /** Where the API is, without `/api/webhooks`; https, or http on this machine. */
  readonly baseUrl: string | URL;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Milliseconds for a whole call, waits and repetitions included. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** The longest answer that is read, in bytes after decompression. Default 1 MiB. */
  readonly maxResponseBytes?: number | undefined;
  readonly retry?: ClientRetryOptions | undefined;
  /** Chance for the waits: like `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Waits. Default: a timer. */
  readonly sleep?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
  /** Milliseconds since 1970, to read a date in `Retry-After` against. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** @internal */
export interface ClientSettings {
  readonly token: string;
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly retry: Required<{ readonly [K in keyof ClientRetryOptions]: number }>;
  readonly random: () => number;
  readonly sleep: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
  readonly now: () => number;
}

const NAMES: OptionNames<PathfinderWebhooksClientOptions> = {
  token: true,
  baseUrl: true,
  fetch: true,
  timeoutMs: true,
  maxResponseBytes: true,
  retry: true,
  random: true,
  sleep: true,
  now: true,
};
const RETRY_NAMES: OptionNames<ClientRetryOptions> = {
  attempts: true,
  baseMs: true,
  capMs: true,
  maxRetryAfterMs: true,
};

/** Fills in the defaults. @throws TypeError for what makes no sense, without quoting it. @internal */
export function readClientOptions(options: PathfinderWebhooksClientOptions): ClientSettings {
  checkNames('PathfinderWebhooksClient', options, NAMES);
  checkNames('the retry of PathfinderWebhooksClient', options.retry ?? {}, RETRY_NAMES);
  const { token, timeoutMs = 30_000, maxResponseBytes = 1_048_576 } = options;
  const { attempts = 3, baseMs = 200, capMs = 5000, maxRetryAfterMs = 20_000 } = options.retry ?? {};
  checkToken(token);
  checkOption(
    timeoutMs > 0 && timeoutMs <= MOST_TIMER_MS,
    'timeoutMs',
    `a number of milliseconds above 0 and at most ${MOST_TIMER_MS}`,
  );
  checkOption(Number.isInteger(maxResponseBytes) && maxResponseBytes > 0, 'maxResponseBytes', 'a whole number above 0');
  checkOption(Number.isInteger(attempts) && attempts >= 1, 'retry.attempts', 'a whole number from 1');
  for (const [name, ms] of Object.entries({ baseMs, capMs, maxRetryAfterMs })) {
    checkOption(
      Number.isFinite(ms) && ms >= 0 && ms <= MOST_TIMER_MS,
      `retry.${name}`,
      `a number of milliseconds from 0 and at most ${MOST_TIMER_MS}`,
    );
  }
  return {
    token,
    baseUrl: readBaseUrl(options.baseUrl),
    // The global fetch is looked up at each call, so that what replaces it later is used.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    timeoutMs,
    maxResponseBytes,
    retry: { attempts, baseMs, capMs, maxRetryAfterMs },
    random: options.random ?? Math.random,
    sleep: options.sleep,
    now: options.now ?? (() => Date.now()),
  };
}

function checkToken(token: unknown): void {
  const isSet = typeof token === 'string' && token.trim() !== '';
  if (!isSet) throw new TypeError('Pass the API token as `token`: it is empty or not set.');
  if (/^\s|\s$/.test(token)) throw new TypeError('The API token has white space or a line end around it: remove that.');
  if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError('The API token holds characters that no token has.');
}

function readBaseUrl(given: string | URL): string {
  const text = String(given);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  checkOption(url?.protocol === 'https:' || url?.protocol === 'http:', 'baseUrl', 'an absolute https URL');
  const { protocol, hostname, username, password, search, hash, href } = url as URL;
  checkOption(
    protocol === 'https:' || isLoopback(hostname),
    'baseUrl',
    'https, since the token goes there; http only on this machine',
  );
  checkOption(!username && !password, 'baseUrl', 'without a user name and a password');
  checkOption(!search && !hash, 'baseUrl', 'without a query and a fragment');
  return href.replace(/[?#]*$/, '').replace(/\/+$/, '');
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function checkOption(ok: boolean, option: string, wanted: string): asserts ok {
  check(ok, `The client's option ${option}`, wanted);
}
