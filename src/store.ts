/**
 * Why an event is dead. `failed`: no handler is left that may run again. `unhandled`: a worker had no handler for it.
 * `poison`: each of its last runs ended without a word, as one that takes its process down.
 */
export type DeadReason = 'failed' | 'unhandled' | 'poison';

/** An event as a store remembers it. */
export interface StoredEvent {
  /** `free`: failed or waiting, may be claimed. `active`: leased to a worker. */
  readonly state: 'free' | 'active' | 'done' | 'dead';
  /** Number of the last claim: the fencing token. Never falls while the row exists. */
  readonly attempt: number;
  /** Claims since the last revival, without those that were given back. */
  readonly claims: number;
  /** Failures since the last revival. */
  readonly failures: number;
  readonly bodyHash: string;
  readonly error?: string | undefined;
  /** Why it is dead. */
  readonly reason?: DeadReason | undefined;
  readonly steps: Readonly<Record<string, string>>;
}

/** The answer to a claim. */
export type Claim =
  | {
      readonly status: 'acquired';
      /** Proves the claim in every later call. Random or unique for ever. */
      readonly token: string;
      readonly attempt: number;
      readonly claims: number;
      readonly failures: number;
      readonly steps: Readonly<Record<string, string>>;
      /** The event had failed with other bytes, which nothing held: these replace them, and the steps are gone. */
      readonly bodyReplaced?: boolean;
    }
  | { readonly status: 'busy'; readonly retryAfterMs: number }
  | { readonly status: 'done' }
  | { readonly status: 'dead'; readonly failures: number }
  | { readonly status: 'conflict' };

/** The claim of a worker that may run the event. */
export type AcquiredClaim = Extract<Claim, { readonly status: 'acquired' }>;

/** Options of {@link WebhookStore.claim}. */
export interface ClaimOptions {
  readonly leaseMs: number;
  /** SHA-256 of the raw body. */
  readonly bodyHash: string;
}

/** Options of {@link WebhookStore.fail}. */
export interface FailOptions {
  /** Waits this long before the next claim, which means that a queue holds the bytes. Absent: free at once. */
  readonly retryInMs?: number | undefined;
  /** Dead, and why: only `revive` frees it. What is `unhandled` is forgotten after the retention, all else is kept. */
  readonly dead?: DeadReason | undefined;
  /** Deletes all that is known of the key: a lane that is free leaves nothing behind. */
  readonly forget?: boolean | undefined;
  /** Absent: the claim is given back, and neither it nor a failure is counted. */
  readonly error?: string | undefined;
}

/**
 * Remembers which events are done, and leases those that are not. Every change of state compares the claim's token, so a
 * worker that lost its lease changes nothing. Keys are tenant and event id joined by a newline; a store adds its
 * namespace. Any method may reject when the store is out of reach. Semantics: docs/writing-a-store.md; the contract suite
 * in `@pathfinder/webhooks/testing` proves an implementation.
 */
export interface WebhookStore {
  /** Survives the process. */
  readonly durable: boolean;
  /** Several processes may use it. */
  readonly shared: boolean;
  /** How long a finished id is remembered. */
  readonly retentionMs: number;
  /** How long a claim lasts without a heartbeat, which comes three times as often. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /**
   * How `transaction` works. `async`: `context.tx`, open while the handler runs. `sync`: `context.commit(effect)`, run at
   * its end without a wait in between.
   */
  readonly transactions?: 'async' | 'sync' | undefined;
  /** Claims an event in one atomic step: exactly one caller acquires a free key. */
  claim(key: string, options: ClaimOptions): Promise<Claim>;
  /** Prolongs the lease. True also when it had lapsed and nobody took over. */
  extend(key: string, token: string, leaseMs: number): Promise<boolean>;
  /** Remembers a step; the first write wins. */
  checkpoint(
    key: string,
    token: string,
    step: string,
    value: string,
    tx?: unknown,
  ): Promise<'saved' | 'exists' | 'lost'>;
  /** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
  transaction?<T>(work: (tx: unknown) => Promise<T>): Promise<T>;
  /** Marks the event done. Idempotent for the same token: after a lost reply, ask again. */
  complete(key: string, token: string, tx?: unknown): Promise<boolean>;
  /** Frees the event, or marks it dead. Keeps the steps. */
  fail(key: string, token: string, options: FailOptions): Promise<boolean>;
  /** What is known of an event. */
  get(key: string): Promise<StoredEvent | undefined>;
  /** Frees a dead or done event; counters restart, `attempt` does not. */
  revive(key: string, options: { readonly steps: 'keep' | 'clear' }): Promise<boolean>;
  /** The newest version that was applied to an entity. */
  latest(entity: string): Promise<number | undefined>;
  /** Raises that version. False: a newer one was already applied. */
  advance(entity: string, version: number, tx?: unknown): Promise<boolean>;
  /** Deletes at most `limit` expired rows and returns how many. */
  sweep(limit: number): Promise<number>;
  /** Closes what it opened. */
  close(): Promise<void>;
  /** Told what `maxAgeSeconds` rests on: a bounded store refuses new events rather than forget a finished one before that. */
  requireRetention?(ms: number): void;
}

/** The key of an event: tenant and id hold no line breaks, so no two pairs share one. */
export function eventKey(tenant: string | undefined, eventId: string): string {
  return tenant === undefined ? eventId : `${tenant}\n${eventId}`;
}
