import { WEBHOOK_EVENT_TYPES } from '../events/index.ts';
import { checkNames } from '../shared/check.ts';

const LATENCIES = 100;
const MOST_REJECTION_CODES = 64;
const OTHER = '_other';

/** How many events of one type were received, and how many of those succeeded. */
export interface WebhookTypeCount {
  readonly received: number;
  readonly processed: number;
}

/** What {@link WebhookMetrics} has counted, under the documented names. */
export interface WebhookCounts {
  /** Events that were processed or have failed. */
  readonly received: number;
  /** Events whose handlers all succeeded. */
  readonly processed: number;
  /** Events of which a handler failed. */
  readonly failed: number;
  /** By type, only those seen. Types that are neither Pathfinder's nor declared count as `_other`. Has no prototype. */
  readonly byType: Readonly<Record<string, WebhookTypeCount>>;
  /** Milliseconds that the last 100 events took, oldest first. */
  readonly latency: readonly number[];
}

/** The answer of {@link WebhookMetrics.getStats}: the documented members, then numbers for machines. */
export interface WebhookStats extends WebhookCounts {
  /** `processed` of `received`, such as `'99.50%'`; `'0.00%'` before the first event. */
  readonly successRate: string;
  /** Mean of `latency`, such as `'12.00ms'`; `'0.00ms'` before the first event. */
  readonly averageLatency: string;
  /** `processed / received`, 0 to 1; `undefined` before the first event. */
  readonly successRatio: number | undefined;
  /** Median of `latency` in milliseconds (nearest rank, as are the next two); `undefined` before the first event. */
  readonly p50: number | undefined;
  /** 95 of 100 took no longer than this, in milliseconds. */
  readonly p95: number | undefined;
  /** 99 of 100 took no longer than this, in milliseconds. */
  readonly p99: number | undefined;
  /** Refused deliveries, by error code. At most 64 codes, further ones count as `_other`. Has no prototype. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Deliveries of events that had been handled before. */
  readonly duplicates: number;
  /** Events for which no handler was registered. */
  readonly unhandled: number;
  /** Deliveries that a queue accepted. */
  readonly queued: number;
  /** Events that a queue gave up. */
  readonly deadLetters: number;
  /** When counting began, as an ISO 8601 string. */
  readonly since: string;
}

/** Options of {@link WebhookMetrics}. */
export interface WebhookMetricsOptions {
  /** Types to count by name beside the nineteen of Pathfinder. Default none. */
  readonly types?: readonly string[] | undefined;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/**
 * Counts events and how long they took, in this process, in a bounded amount of memory whatever arrives.
 * `received` is always `processed + failed`: an event counts when it is finished, refused deliveries and duplicates apart.
 *
 * @example
 * ```ts
 * const startTime = Date.now();
 * metrics.record(event, startTime, true);
 * metrics.getStats().successRate; // '100.00%'
 * ```
 */
export class WebhookMetrics {
  readonly #now: () => number;
  readonly #sinceMs: number;
  // Every key is made here, and none by an event. A Map, because `__proto__` is a possible type.
  readonly #byType = new Map<string, { received: number; processed: number }>();
  readonly #other = { received: 0, processed: 0 };
  readonly #rejected = new Map<string, number>();
  readonly #ring = new Float64Array(LATENCIES);
  #processed = 0;
  #failed = 0;
  #duplicates = 0;
  #unhandled = 0;
  #queued = 0;
  #deadLetters = 0;

  /** Starts at zero, now. */
  constructor(options: WebhookMetricsOptions = {}) {
    checkNames('WebhookMetrics', options, { types: true, now: true });
    const { types = [], now = () => Date.now() } = options;
    this.#now = now;
    this.#sinceMs = now();
    for (const type of [...WEBHOOK_EVENT_TYPES, ...types]) this.#byType.set(type, { received: 0, processed: 0 });
    this.#byType.set(OTHER, this.#other);
  }

  /**
   * Counts a finished event, as documented.
   *
   * @param startTime - When its processing began: `Date.now()` then. A clock that was set back since gives a latency of 0.
   * @param success - Whether all its handlers succeeded.
   */
  record(event: { readonly type: string }, startTime: number, success: boolean): void {
    this.recordMs(event.type, this.#now() - startTime, success);
  }

  /** Counts a finished event whose duration is known, in milliseconds; anything but a positive number is 0. Allocates nothing. */
  recordMs(type: string, latencyMs: number, success: boolean): void {
    const count = this.#byType.get(type) ?? this.#other;
    count.received++;
    this.#ring[(this.#processed + this.#failed) % LATENCIES] =
      latencyMs > 0 && latencyMs < Number.POSITIVE_INFINITY ? latencyMs : 0;
    if (success) {
      count.processed++;
      this.#processed++;
    } else {
      this.#failed++;
    }
  }

  /** Counts a refused delivery by its error code. */
  recordRejected(code: string): void {
    const key = this.#rejected.has(code) || this.#rejected.size < MOST_REJECTION_CODES ? code : OTHER;
    this.#rejected.set(key, (this.#rejected.get(key) ?? 0) + 1);
  }

  /** Counts a delivery of an event that had been handled before. */
  recordDuplicate(): void {
    this.#duplicates++;
  }

  /** Counts an event for which no handler was registered. */
  recordUnhandled(): void {
    this.#unhandled++;
  }

  /** Counts a delivery that a queue accepted. */
  recordQueued(): void {
    this.#queued++;
  }

  /** Counts an event that a queue gave up. */
  recordDeadLetter(): void {
    this.#deadLetters++;
  }

  /** A copy of the documented counters. */
  get metrics(): WebhookCounts {
    return {
      received: this.#processed + this.#failed,
      processed: this.#processed,
      failed: this.#failed,
      byType: this.#countsByType(),
      latency: this.#latencies(),
    };
  }

  /** A copy of everything counted: the documented members and formats, then numbers for machines. */
  getStats(): WebhookStats {
    const metrics = this.metrics;
    const { received, processed, latency } = metrics;
    const ascending = [...latency].sort((a, b) => a - b);
    const sumMs = latency.reduce((a, b) => a + b, 0);
    return {
      ...metrics,
      successRate: `${((processed / (received || 1)) * 100).toFixed(2)}%`,
      averageLatency: `${(sumMs / (latency.length || 1)).toFixed(2)}ms`,
      successRatio: received > 0 ? processed / received : undefined,
      p50: nearestRank(ascending, 0.5),
      p95: nearestRank(ascending, 0.95),
      p99: nearestRank(ascending, 0.99),
      rejected: withoutPrototype(this.#rejected),
      duplicates: this.#duplicates,
      unhandled: this.#unhandled,
      queued: this.#queued,
      deadLetters: this.#deadLetters,
      since: new Date(this.#sinceMs).toISOString(),
    };
  }

  #countsByType(): Record<string, WebhookTypeCount> {
    const seen = [...this.#byType].filter(([, count]) => count.received > 0);
    return withoutPrototype(seen.map(([type, count]) => [type, { ...count }]));
  }

  #latencies(): number[] {
    const received = this.#processed + this.#failed;
    if (received <= LATENCIES) return [...this.#ring.subarray(0, received)];
    const oldest = received % LATENCIES;
    return [...this.#ring.subarray(oldest), ...this.#ring.subarray(0, oldest)];
  }
}

function nearestRank(ascending: readonly number[], share: number): number | undefined {
  return ascending[Math.ceil(ascending.length * share) - 1];
}

function withoutPrototype<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const record: Record<string, T> = Object.create(null);
  for (const [key, value] of entries) record[key] = value;
  return record;
}
