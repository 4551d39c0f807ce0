import { LeaseLostError } from '../errors.ts';
import type { WebhookStore } from '../store.ts';
import type { Core } from './core.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { AskedStore } from './guarded-store.ts';

const LEASE_MS = 30_000;
const HEARTBEATS_PER_LEASE = 3;
// Work stops before the store may give the event away: clocks and replies take time.
const SAFE_PART = 0.8;

/** How long a claim in this store lasts without a heartbeat. */
export function leaseMsOf({ leaseMs = LEASE_MS }: Pick<WebhookStore, 'leaseMs'>): number {
  return leaseMs;
}

/** What was claimed, with which token, and when that was asked for, on the monotonic clock. */
export interface HeldClaim {
  readonly key: string;
  readonly token: string;
  readonly claimedAtMs: number;
}

/**
 * A claim that is kept: extends it three times in its length until stopped. When that fails for too long, or another worker
 * has the event, the lease is lost, and everything that rests on it stops.
 */
export class Lease implements Deadline {
  readonly key: string;
  readonly token: string;
  /** When the next heartbeat is due. */
  dueMs: number;
  before: Deadline | undefined = undefined;
  after: Deadline | undefined = undefined;
  readonly #store: AskedStore;
  readonly #deadlines: Deadlines;
  readonly #onLost: (error: LeaseLostError) => void;
  /** When the store was last known to have the claim. */
  #confirmedAtMs: number;
  #stopped = false;
  #lost: LeaseLostError | undefined;

  constructor(
    { store, deadlines }: Pick<Core, 'store' | 'deadlines'>,
    { key, token, claimedAtMs }: HeldClaim,
    onLost: (error: LeaseLostError) => void,
  ) {
    this.key = key;
    this.token = token;
    this.#store = store;
    this.#deadlines = deadlines;
    this.#onLost = onLost;
    this.#confirmedAtMs = claimedAtMs;
    this.dueMs = claimedAtMs + leaseMsOf(store) / HEARTBEATS_PER_LEASE;
    deadlines.add(this);
  }

  /** Set once the claim has passed to another worker, or may have. */
  get lost(): LeaseLostError | undefined {
    return this.#lost;
  }

  /** When the lease ends unless it is extended, on the monotonic clock. */
  get endMs(): number {
    return this.#confirmedAtMs + leaseMsOf(this.#store);
  }

  /** A heartbeat is due. */
  reach(nowMs: number): void {
    const leaseMs = leaseMsOf(this.#store);
    const safeUntilMs = this.#confirmedAtMs + leaseMs * SAFE_PART;
    if (nowMs >= safeUntilMs) {
      this.lose();
      return;
    }
    this.dueMs = Math.min(nowMs + leaseMs / HEARTBEATS_PER_LEASE, safeUntilMs);
    this.#store.extend(this.key, this.token, leaseMs).then(
      (extended) => {
        if (extended) this.#confirmedAtMs = nowMs;
        else this.lose();
      },
      () => {
        // The store is out of reach for now: the next heartbeat asks again, until it is too late.
      },
    );
  }

  /** Another worker has the event, or may have: tells whoever holds the lease, unless that has let go of it. */
  lose(): LeaseLostError {
    this.#lost ??= new LeaseLostError();
    if (!this.#stopped) {
      this.stop();
      this.#onLost(this.#lost);
    }
    return this.#lost;
  }

  /** Ends the heartbeat. */
  stop(): void {
    this.#stopped = true;
    this.#deadlines.remove(this);
  }
}
