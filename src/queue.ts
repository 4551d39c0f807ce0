import type { AcquiredClaim, DeadReason, WebhookStore } from './store.ts';

/** A verified delivery as a queue keeps it: the raw bytes, never re-serialised JSON. */
export interface QueuedDelivery {
  /** The store's key for the event: tenant and event id. */
  readonly key: string;
  readonly eventId: string;
  readonly type: string;
  readonly tenant?: string | undefined;
  /** The event's own time, Unix seconds. */
  readonly created: number;
  readonly body: Uint8Array;
  /** SHA-256 of `body`. */
  readonly bodyHash: string;
  /** An allow-list of headers; never the signature. */
  readonly headers: Readonly<Record<string, string>>;
  /** W3C trace context of the receiving request. */
  readonly traceparent?: string | undefined;
  /** Unix milliseconds. */
  readonly receivedAtMs: number;
}

/**
 * What became of one run. `done`: the event is completed, now or before. `unhandled`: no handler matched, and the event is
 * dead for that reason. `conflict`: its id is known with other bytes, and it is not run. `retry` without `error` is no failure:
 * the event waits for a lease or a lane. `dead`: it failed for good; the store's `reason` says how.
 */
export type WorkOutcome =
  | { readonly kind: 'done' | 'unhandled' | 'conflict' }
  | { readonly kind: 'retry'; readonly inMs: number; readonly error?: unknown }
  | { readonly kind: 'dead'; readonly error: unknown };

/** One of the places of a worker: as many events run at a time as there are. */
export interface QueueSlot {
  /** The event waits for its lane, or its handlers have ended and the store is being told: another one may run meanwhile. */
  leave(): void;
  /** Resolves when the event may go on, before any that is new. */
  enter(): Promise<void>;
}

/** A claim that a queue made in its store in the same step in which it took the delivery. */
export interface QueueClaim {
  readonly claim: AcquiredClaim;
  /** A moment before the lease began, of `performance.now()`. */
  readonly claimedAtMs: number;
}

/**
 * Works off one delivery. Never rejects. `signal` aborts when the queue gives the delivery up: at once when it is stopped and
 * the event has left its slot; it means this delivery only until the work resolves. Without a `slot` an event that has to wait
 * for its lane is a `retry`. Without a claim that is `held` the store is asked for one.
 */
export type QueueWork = (
  delivery: QueuedDelivery,
  attempt: number,
  signal: AbortSignal,
  slot?: QueueSlot,
  held?: QueueClaim,
) => Promise<WorkOutcome>;

/** An event that is dead, with its bytes. */
export interface DeadLetter {
  /** Its address, opaque: never that of another event. */
  readonly key: string;
  /** The event's id. */
  readonly id: string;
  readonly tenant?: string | undefined;
  readonly type: string;
  readonly reason: DeadReason;
  readonly created: number;
  readonly receivedAtMs: number;
  readonly failedAtMs: number;
  readonly failures: number;
  /** What its last failure said; empty for what is `unhandled`. */
  readonly error: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Names a dead letter: by the `key` that `list` gave it, or by its event. */
export type DeadLetterAddress = string | { readonly id: string; readonly tenant?: string | undefined };

/** A filter of dead letters: those that match all of its members. */
export interface DeadLetterQuery {
  /** Why it is dead. Default: `failed` and `poison`. */
  readonly reason?: DeadReason | undefined;
  /** An event type or pattern. */
  readonly type?: string | undefined;
  readonly tenant?: string | undefined;
  /** Failed at or after this time, Unix milliseconds. */
  readonly sinceMs?: number | undefined;
  /** Default 100. */
  readonly limit?: number | undefined;
}

/** How dead letters are queued again. */
export interface ReplayOptions {
  /** Default `keep`: handlers that succeeded do not run again. `clear` runs all of them. */
  readonly steps?: 'keep' | 'clear' | undefined;
  /** Default: as fast as they can be queued. */
  readonly ratePerSecond?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The events that are dead, to be looked at, replayed or discarded. Nothing has to be started for it.
 *
 * Each method rejects with a TypeError, before anything is written, for what is no address and for options that make no sense.
 */
export interface DeadLetters {
  /** Oldest failure first. */
  list(query?: DeadLetterQuery): Promise<readonly DeadLetter[]>;
  /** Reads a dead letter. */
  get(address: DeadLetterAddress): Promise<DeadLetter | undefined>;
  /** Queues the exact bytes again; returns how many. */
  replay(which: readonly DeadLetterAddress[] | DeadLetterQuery, options?: ReplayOptions): Promise<number>;
  /** Deletes them; returns how many. */
  discard(addresses: readonly DeadLetterAddress[]): Promise<number>;
}

/** How much there is to do. */
export interface QueueStats {
  readonly ready: number;
  readonly active: number;
  readonly delayed: number;
  /** Dead letters, but for those that are `unhandled`. */
  readonly dead: number;
  /** Dead letters that no handler matched. */
  readonly unhandled: number;
  /** Age of the oldest event that could run now; 0 when there is none. */
  readonly oldestReadyMs: number;
}

/** What became of an event at the queue's door. */
export type Enqueued = 'accepted' | 'duplicate' | 'revived' | 'conflict';

/**
 * Carries deliveries and wakes workers. Claims, checkpoints, retry policy and outcomes are the core's, so behaviour is
 * the same on every engine.
 */
export interface WebhookQueue {
  /** What it accepted survives the process. */
  readonly durable: boolean;
  /** Several processes may use it. */
  readonly shared: boolean;
  /** Where its events are claimed. */
  readonly store: WebhookStore;
  /** Resolves only after the durable commit. */
  enqueue(delivery: QueuedDelivery): Promise<Enqueued>;
  /** Runs `work` for each delivery, as many at a time as `concurrency` says. */
  start(work: QueueWork, options: { readonly concurrency: number }): Promise<void>;
  /** Stops claiming, waits for what runs, gives back what is left. */
  stop(options: { readonly timeoutMs: number }): Promise<void>;
  /** Works off what is ready, for cron and serverless; returns how many ran. */
  drain(work: QueueWork, options: { readonly maxMs: number; readonly max: number }): Promise<number>;
  readonly deadLetters: DeadLetters;
  /** Counts what it holds. */
  stats(): Promise<QueueStats>;
  /** Closes what it opened. */
  close?(): Promise<void>;
}
