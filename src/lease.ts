import type { Alarm, Alarms } from './alarms.ts';
import { LeaseLostError } from './errors.ts';
import type { WebhookStore } from './store.ts';

const LEASE_MS = 30_000;
const HEARTBEATS_PER_LEASE = 3;
// Stops work before the store may give the event away: clocks and replies take time.
const SAFE_PART = 0.8;

/** How long a claim in this store lasts without a heartbeat. */
export function leaseMsOf({ leaseMs = LEASE_MS }: Pick<WebhookStore, 'leaseMs'>): number {
  return leaseMs;
}

/** A claim that is being kept. */
export interface Lease {
  readonly key: string;
  readonly token: string;
  /** Set once the claim passed to another worker. */
  readonly lost: LeaseLostError | undefined;
  /** When the lease ends unless it is extended, on the monotonic clock. */
  readonly endsAtMs: number;
  /** Calls back when the lease is lost. */
  onLost(listener: (error: LeaseLostError) => void): void;
  lose(): void;
  /** Ends the heartbeat. */
  stop(): void;
}

/** Extends the lease three times in its length until stopped; when that fails for too long, the lease counts as lost. */
export function keepLease(store: WebhookStore, alarms: Alarms, key: string, token: string, claimedAtMs: number): Lease {
  const leaseMs = leaseMsOf(store);
  const heartbeatMs = leaseMs / HEARTBEATS_PER_LEASE;
  const safeMs = leaseMs * SAFE_PART;
  const listeners: ((error: LeaseLostError) => void)[] = [];
  let lost: LeaseLostError | undefined;
  let stopped = false;
  let confirmedAtMs = claimedAtMs;

  const heartbeat: Alarm = {
    dueMs: claimedAtMs + heartbeatMs,
    ring(nowMs) {
      if (nowMs >= confirmedAtMs + safeMs) return lose();
      // Asked again sooner than a heartbeat when the store is slow to answer.
      heartbeat.dueMs = Math.min(nowMs + heartbeatMs, Math.max(nowMs + 1, confirmedAtMs + safeMs));
      store.extend(key, token, leaseMs).then(
        (extended) => {
          if (extended) confirmedAtMs = nowMs;
          else lose();
        },
        () => {
          // Out of reach for now: the next heartbeat asks again, until it is too late.
        },
      );
    },
  };
  alarms.add(heartbeat);

  function lose(): void {
    if (stopped || lost) return;
    lost = new LeaseLostError();
    alarms.remove(heartbeat);
    for (const listener of listeners) listener(lost);
  }

  return {
    key,
    token,
    get lost() {
      return lost;
    },
    get endsAtMs() {
      return confirmedAtMs + leaseMs;
    },
    onLost(listener) {
      if (lost) listener(lost);
      else listeners.push(listener);
    },
    lose,
    stop() {
      stopped = true;
      alarms.remove(heartbeat);
    },
  };
}
