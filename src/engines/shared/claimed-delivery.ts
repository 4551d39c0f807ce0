import type { FailOptions, QueueClaim, QueuedDelivery, WebhookStore } from '../../index.ts';
import { describeError } from '../../shared/text.ts';
import type { Taken } from './work-source.ts';

// The core buries an event that has lost ten claims. Events that run beside it lose theirs too, so they part before that.
const LOST_CLAIMS_TO_RUN_ALONE = 3;

/** A delivery that a worker has taken, and claimed with that. */
export interface ClaimedDelivery {
  readonly held: QueueClaim;
  /** The runs of the event keep ending without a word: it may be what takes its process down, and its neighbours with it. */
  readonly alone: boolean;
  readonly delivery: QueuedDelivery;
}

interface Counted {
  readonly claims: number;
  readonly failures: number;
}

/** What a worker may do with it, where the store's row is the queue's as well. */
export function takenWithClaim(store: WebhookStore, { delivery, held, alone }: ClaimedDelivery): Taken {
  const { token, attempt } = held.claim;
  const free = async (options: FailOptions) => void (await store.fail(delivery.key, token, options));
  return {
    delivery,
    attempt,
    alone,
    held,
    // The store knows what became of the claim, in this very row. A run that could not tell it has the claim still.
    async record(outcome) {
      if (outcome.kind !== 'retry') return;
      const { inMs, error } = outcome;
      await free({ retryInMs: inMs, error: error === undefined ? undefined : describeError(error) });
    },
    giveBack: () => free({ retryInMs: 0 }),
  };
}

/** Whether an event is to run by itself. */
export function runsAlone({ claims, failures }: Counted): boolean {
  return claims - failures >= LOST_CLAIMS_TO_RUN_ALONE;
}

/** The rows before the first that runs alone; that one itself when it is the oldest, and nothing else runs. */
export function runnableOf<Row extends Counted>(rows: readonly Row[], isIdle: boolean): readonly Row[] {
  const first = rows.findIndex(runsAlone);
  if (first === -1) return rows;
  return first === 0 && isIdle ? rows.slice(0, 1) : rows.slice(0, first);
}
