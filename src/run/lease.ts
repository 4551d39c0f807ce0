import { LeaseLostError } from '../errors.ts';
import type { WebhookStore } from '../store.ts';
import type { Alarm, Alarms } from './deadlines.ts';

const LEASE_MS = 30_000;
const HEARTBEATS_PER_LEASE = 3;
// Stops work before the store may give the event away: clocks and replies take time.
const SAFE_PART = 0.8;

/** How long a claim in this store lasts without a heartbeat. */
export function leaseMsOf({ leaseMs = LEASE_MS }: Pick<WebhookStore, 'leaseMs'>): number {
  return leaseMs;
}

/** A claim that is being kept: its own alarm, since every event has one. */
export interface Lease extends Alarm {
  readonly store: WebhookStore;
  readonly alarms: Alarms;
  readonly key: string;
  readonly token: string;
  /** Set once the claim passed to another worker. */
  lost: LeaseLostError | undefined;
  stopped: boolean;
  /** When the store was last known to have it, on the monotonic clock. */
  confirmedAtMs: number;
  readonly onLost: (error: LeaseLostError) => void;
}

/** Extends the lease three times in its length until stopped; when that fails for too long, the lease counts as lost. */
export function keepLease(
  store: WebhookStore,
  alarms: Alarms,
  { key, token, claimedAtMs }: { readonly key: string; readonly token: string; readonly claimedAtMs: number },
  onLost: (error: LeaseLostError) => void,
): Lease {
  const lease: Lease = {
    store,
    alarms,
    key,
    token,
    lost: undefined,
    stopped: false,
    confirmedAtMs: claimedAtMs,
    onLost,
    dueMs: claimedAtMs + leaseMsOf(store) / HEARTBEATS_PER_LEASE,
    ring: beat,
    before: undefined,
    after: undefined,
  };
  alarms.add(lease);
  return lease;
}

function beat(this: Lease, nowMs: number): void {
  const leaseMs = leaseMsOf(this.store);
  const safeUntilMs = this.confirmedAtMs + leaseMs * SAFE_PART;
  if (nowMs >= safeUntilMs) {
    loseLease(this);
    return;
  }
  this.dueMs = Math.min(nowMs + leaseMs / HEARTBEATS_PER_LEASE, safeUntilMs);
  this.store.extend(this.key, this.token, leaseMs).then(
    (extended) => {
      if (extended) this.confirmedAtMs = nowMs;
      else loseLease(this);
    },
    () => {
      // Out of reach for now: the next heartbeat asks again, until it is too late.
    },
  );
}

/** Another worker has the event: everything that rests on the lease stops. */
export function loseLease(lease: Lease): LeaseLostError {
  lease.lost ??= new LeaseLostError();
  if (!lease.stopped) {
    stopLease(lease);
    lease.onLost(lease.lost);
  }
  return lease.lost;
}

/** Ends the heartbeat. */
export function stopLease(lease: Lease): void {
  lease.stopped = true;
  lease.alarms.remove(lease);
}

/** When the lease ends unless it is extended, on the monotonic clock. */
export function leaseEndMs(lease: Lease): number {
  return lease.confirmedAtMs + leaseMsOf(lease.store);
}
