/** What differs between events that run before their reply and events that a queue carries; decided here and nowhere else. */
export interface RunPolicy {
  /** Attempts and lanes are waited for within the call. Else the event is given back, and the queue brings it again. */
  readonly retriesHere: boolean;
  /** An event without a handler is claimed and kept as a dead letter: it was acknowledged, and a handler may come with a deploy. */
  readonly keepsUnhandled: boolean;
  /** A dead event that is delivered again is run again: the sender still wants it. A queue does so when it takes it in. */
  readonly revivesDead: boolean;
  /** An event may fail for good, since the queue keeps its bytes. Else the sender's next delivery is the retry. */
  readonly mayDie: boolean;
  /** The store holds the event back until its next run is due; else it is free at once for the sender's next delivery. */
  readonly delaysNextRun: boolean;
  /** Claims that may end without a word before the event counts as what takes its process down. */
  readonly mostLostClaims: number;
}

/** Without a queue: the reply follows the run, and the sender's next delivery is the retry. */
export const BEFORE_REPLY: RunPolicy = {
  retriesHere: true,
  keepsUnhandled: false,
  revivesDead: true,
  mayDie: false,
  delaysNextRun: false,
  mostLostClaims: Number.POSITIVE_INFINITY,
};

/** In a worker: the queue holds the bytes and makes the attempts, one claim each. */
export const FROM_QUEUE: RunPolicy = {
  retriesHere: false,
  keepsUnhandled: true,
  revivesDead: false,
  mayDie: true,
  delaysNextRun: true,
  // A payload that kills its process never gets to count a failure; deploys that do are no fault of the payload.
  mostLostClaims: 10,
};
