import type { QueueClaim, QueueSlot } from '../queue.ts';
import type { WebhookLogger } from '../report/logger.ts';
import type { Observer } from '../report/observer.ts';
import type { RetryPolicy } from '../retry/policy.ts';
import type { Deadlines } from './deadlines.ts';
import type { AskedStore } from './guarded-store.ts';
import type { Registry } from './handler-types.ts';
import type { Lanes } from './lanes.ts';
import type { RunPolicy } from './policy.ts';
import type { SignedEvent } from './signed-event.ts';

/** An event whose handlers run: what `stop` knows of an `Execution`. */
export interface RunningEvent {
  readonly job: Job;
  /** Its handlers that have not ended. */
  readonly unended: readonly { readonly id: string }[];
  /** Aborts their signals. */
  stop(reason: unknown): void;
}

/** What every run needs and no run changes. */
export interface Core {
  /** The integrator's store behind its guard: it answers in time or rejects with `store_unavailable`. */
  readonly store: AskedStore;
  readonly registry: Registry;
  readonly deadlines: Deadlines;
  readonly lanes: Lanes;
  readonly policy: RunPolicy;
  readonly logger: WebhookLogger;
  readonly observer: Observer;
  readonly handlerTimeoutMs: number;
  readonly retry: RetryPolicy;
  readonly now: () => number;
  readonly random: () => number;
  /** Events whose handlers run, late ones included: for `stop`. */
  readonly running: Set<RunningEvent>;
  /** Logs what went wrong in a run and tells `onError`. */
  report(error: unknown, event: SignedEvent, fields: object): void;
}

/** A verified event to be processed. */
export interface Job {
  readonly event: SignedEvent;
  readonly tenant: string | undefined;
  readonly key: string;
  readonly body: Uint8Array;
  readonly bodyHash: string;
  /** The place of its worker, where that can be lent. */
  readonly slot?: QueueSlot | undefined;
  /** What its queue has claimed already. */
  readonly held?: QueueClaim | undefined;
  /** W3C trace context of the request that received it, where a queue kept it. */
  readonly traceparent?: string | undefined;
}
