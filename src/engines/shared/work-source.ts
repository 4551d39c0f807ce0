import type { QueueClaim, QueuedDelivery, WorkOutcome } from '../../index.ts';

/** A delivery that this process may run, until `record` or `giveBack`. */
export interface Taken {
  readonly delivery: QueuedDelivery;
  readonly attempt: number;
  /** Nothing runs beside it in this process, which it may take down. Default false. */
  readonly alone?: boolean | undefined;
  /** The claim that came with it. */
  readonly held?: QueueClaim | undefined;
  /** Records the outcome where the core has not done so. */
  record(outcome: WorkOutcome): Promise<void>;
  /** Lets others run it at once, whatever still runs here. */
  giveBack(): Promise<void>;
}

/** What there is room for, to be asked at the moment of taking: runs that end together make room for one take. */
export interface Room {
  /** How many deliveries: none once the queue is stopped. */
  most(): number;
  /** Nothing runs in this process, so that it may be a delivery that has to run alone. */
  isIdle(): boolean;
}

/** Where the workers find what to run. */
export interface WorkSource {
  /** What is ready, oldest first, and taken by nobody else. */
  take(room: Room): Promise<readonly Taken[]>;
  /** Milliseconds until something is due that is not ready yet. */
  dueInMs(): number | Promise<number>;
}
