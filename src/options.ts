import type { SecretResolver } from './authenticate.ts';
import type { EventSchemas, ReceivedWebhookEvent } from './events/index.ts';
import type { WebhookQueue } from './queue.ts';
import type { WebhookErrorHandler } from './report/error-handler.ts';
import { consoleLogger, guardLogger, type WebhookLogger, warnOfMessageFirst } from './report/logger.ts';
import type { WebhookTelemetry } from './report/telemetry.ts';
import {
  IN_PROCESS_RETRY,
  QUEUED_RETRY,
  type RetryPolicy,
  type RetryPolicyOptions,
  retryPolicy,
} from './retry/policy.ts';
import { check, checkMethods, checkNames, duration, notNegative, type OptionNames, positive } from './shared/check.ts';
import { atOnce } from './shared/guard.ts';
import type { WebhookSecret } from './signature.ts';
import type { WebhookStore } from './store.ts';
import { type AgeLimits, FUTURE_SKEW_SECONDS } from './validate.ts';

/** Options of a `WebhookHandler`; only `secret` is required. */
export interface WebhookHandlerOptions<E extends EventSchemas = EventSchemas> extends AgeLimits {
  /** The endpoint's secret, several while rotating, or a function that finds the tenant's. */
  readonly secret: WebhookSecret | SecretResolver;
  /** Default `memoryStore()`. A queue brings its own: the two together are refused. */
  readonly store?: WebhookStore | undefined;
  /** Absent: handlers run before the reply. Present: the reply follows the durable write, and workers run them. */
  readonly queue?: WebhookQueue | undefined;
  /** Without a queue: the attempts of a handler within the request, default 3 from 200 ms. With one: the queued policy. */
  readonly retry?: RetryPolicyOptions | undefined;
  /** Aborts `context.signal`. Default 10,000 without a queue, 60,000 with one. */
  readonly handlerTimeoutMs?: number | undefined;
  /**
   * For each call of a store, a queue or a schema: what does not answer in time is answered 503, or tried again later from
   * a queue. Default 5,000.
   */
  readonly storeTimeoutMs?: number | undefined;
  /** Enforced while reading. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** From the first byte to the last. Default 10,000. */
  readonly bodyTimeoutMs?: number | undefined;
  /** What to do with `data` that departs from its schema. Default `report`: dispatched, and `onError` told. */
  readonly validation?: 'report' | 'reject' | undefined;
  /** Schemas for `data` of own or newer types, or in place of a built-in one. Their output replaces `data`. */
  readonly events?: E | undefined;
  /** Told once per event when it has failed for good. */
  readonly errorHandler?: WebhookErrorHandler | undefined;
  /** Told of every failed run, every refused delivery that was verified, and every drift of a schema. */
  readonly onError?: ((error: unknown, event: ReceivedWebhookEvent | undefined) => unknown) | undefined;
  /** Observes deliveries, events and handlers: `otel()` of `@pathfinder/webhooks/otel`. Default: nobody does. */
  readonly telemetry?: WebhookTelemetry | undefined;
  /** Keeps a serverless platform alive for work behind the reply. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: WebhookLogger | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** The options as the flow uses them: checked, with every default in place. */
export interface Settings {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
  readonly handlerTimeoutMs: number;
  readonly storeTimeoutMs: number;
  readonly age: AgeLimits;
  readonly rejectDrift: boolean;
  readonly retry: RetryPolicy;
  readonly logger: WebhookLogger;
  readonly now: () => number;
}

const NAMES: OptionNames<WebhookHandlerOptions> = {
  secret: true,
  store: true,
  queue: true,
  retry: true,
  handlerTimeoutMs: true,
  storeTimeoutMs: true,
  maxBodyBytes: true,
  bodyTimeoutMs: true,
  maxAgeSeconds: true,
  futureSkewSeconds: true,
  validation: true,
  events: true,
  errorHandler: true,
  onError: true,
  telemetry: true,
  waitUntil: true,
  logger: true,
  now: true,
};
/** The methods that a store has to have; `transaction` and `requireRetention` are for those that can. */
export const STORE_METHODS = [
  'claim',
  'extend',
  'checkpoint',
  'complete',
  'fail',
  'get',
  'revive',
  'latest',
  'advance',
  'sweep',
] as const satisfies readonly (keyof WebhookStore)[];
const TELEMETRY_METHODS = [
  'attach',
  'isEnabled',
  'receive',
  'process',
  'handler',
  'traceparent',
] as const satisfies readonly (keyof WebhookTelemetry)[];
const QUEUE_METHODS = ['enqueue', 'start', 'stop', 'drain'];

/**
 * Refuses what is passed in and would fail only when an event comes.
 *
 * @throws TypeError for a name that is no option, and for what lacks the methods of what it stands for.
 */
export function checkOptions(options: WebhookHandlerOptions): void {
  checkNames('WebhookHandler', options, NAMES);
  const { store, queue, logger, errorHandler, telemetry, events = {} } = options;
  if (store !== undefined && queue !== undefined) {
    throw new TypeError('A queue brings its own store: leave `store` out, or give it to the queue.');
  }
  if (store !== undefined) checkMethods('store', store, STORE_METHODS);
  if (queue !== undefined) {
    checkMethods('queue', queue, QUEUE_METHODS);
    checkMethods('queue.store', queue.store, STORE_METHODS);
  }
  if (logger !== undefined) {
    checkMethods('logger', logger, ['debug', 'info', 'warn', 'error']);
    warnOfMessageFirst(logger);
  }
  if (errorHandler !== undefined) checkMethods('errorHandler', errorHandler, ['handle']);
  check(telemetry === undefined || isTelemetry(telemetry), '`telemetry`', 'an object of hooks, such as otel() makes');
  for (const name of ['onError', 'waitUntil', 'now'] as const) {
    check(options[name] === undefined || typeof options[name] === 'function', `\`${name}\``, 'a function');
  }
  check(typeof events === 'object' && events !== null, '`events`', 'an object of schemas by event type');
  for (const [type, schema] of Object.entries(events))
    checkMethods(`events['${type}']['~standard']`, schema?.['~standard'], ['validate']);
}

function isTelemetry(given: WebhookTelemetry): boolean {
  if (typeof given !== 'object' || given === null) return false;
  return TELEMETRY_METHODS.every((name) => given[name] === undefined || typeof given[name] === 'function');
}

/** @throws TypeError for options that make no sense, or that would lose events quietly. */
export function readOptions(options: WebhookHandlerOptions, store: WebhookStore): Settings {
  const { queue, maxAgeSeconds, futureSkewSeconds = FUTURE_SKEW_SECONDS, validation = 'report' } = options;
  check(validation === 'report' || validation === 'reject', '`validation`', "'report' or 'reject'");
  if (queue) checkPairing(queue);
  if (maxAgeSeconds !== undefined) checkRetention(maxAgeSeconds, futureSkewSeconds, store);
  return {
    maxBodyBytes: positive('maxBodyBytes', options.maxBodyBytes ?? 1_048_576),
    bodyTimeoutMs: duration('bodyTimeoutMs', options.bodyTimeoutMs ?? 10_000),
    handlerTimeoutMs: duration('handlerTimeoutMs', options.handlerTimeoutMs ?? (queue ? 60_000 : 10_000)),
    storeTimeoutMs: duration('storeTimeoutMs', options.storeTimeoutMs ?? 5000),
    age: { maxAgeSeconds, futureSkewSeconds },
    rejectDrift: validation === 'reject',
    retry: retryPolicy(options.retry ?? {}, queue ? QUEUED_RETRY : IN_PROCESS_RETRY),
    logger: guardLogger(options.logger ?? consoleLogger),
    now: options.now ? guardClock(options.now) : () => Date.now(),
  };
}

function checkPairing({ durable, shared, store }: WebhookQueue): void {
  if (durable && !store.durable) {
    throw new TypeError('A durable queue needs a durable store: what a volatile one forgets would run twice.');
  }
  if (shared && !store.shared) {
    throw new TypeError('A queue that spans machines needs a store that does: each machine would claim for itself.');
  }
}

// A replay between the two would be young enough to pass, and forgotten enough to run again.
function checkRetention(maxAgeSeconds: number, futureSkewSeconds: number, store: WebhookStore): void {
  positive('maxAgeSeconds', maxAgeSeconds);
  notNegative('futureSkewSeconds', futureSkewSeconds);
  const requiredMs = (maxAgeSeconds + futureSkewSeconds) * 1000;
  if (requiredMs > store.retentionMs) {
    throw new TypeError(
      `maxAgeSeconds + futureSkewSeconds is beyond the store's retention of ${store.retentionMs / 1000} s: a replay after it would run. Lower the one or raise the other.`,
    );
  }
  store.requireRetention?.(requiredMs);
}

// A clock that throws or gives no number is the integrator's mistake: deliveries go by the host's meanwhile.
function guardClock(now: () => number): () => number {
  return () => {
    try {
      const nowMs = atOnce(now());
      return typeof nowMs === 'number' && Number.isFinite(nowMs) ? nowMs : Date.now();
    } catch {
      return Date.now();
    }
  };
}
