import { WebhookError } from './errors.ts';
import type { ReceivedWebhookEvent } from './events/index.ts';
import type { Enqueued, WorkOutcome } from './queue.ts';
import type { SignedEvent } from './run/signed-event.ts';
import type { Claim } from './store.ts';

/** A handler that failed, and with what. */
export interface HandlerFailure {
  readonly handlerName: string;
  readonly error: unknown;
}

/** What became of a verified delivery, in a word. */
export type WebhookResultStatus = 'processed' | 'failed' | 'duplicate' | 'in_progress' | 'queued' | 'unhandled';

/** What became of a verified delivery. */
export interface WebhookResult {
  readonly status: WebhookResultStatus;
  /** Handlers that ran in this call, failed ones included. */
  readonly processed: number;
  readonly failed: number;
  /** The event is not enumerable: a spread into a reply does not send it. */
  readonly event: ReceivedWebhookEvent;
  /** The handlers that failed, and with what. Not enumerable either. */
  readonly failures: readonly HandlerFailure[];
}

const NO_FAILURES: readonly HandlerFailure[] = /* @__PURE__ */ Object.freeze([]);

/**
 * What became of an event where its handlers run, in a request or in a worker: one word for each outcome. What a store, a
 * queue, a result and a reply call the same is in the table of `src/README.md`.
 */
export type Outcome =
  /** Every handler that matches has succeeded. */
  | { readonly status: 'processed'; readonly ran: number }
  /** No handler matches; from a queue the event is kept as a dead letter. */
  | { readonly status: 'unhandled' }
  /** The event was completed before. */
  | { readonly status: 'duplicate' }
  /** The event's id is known with other bytes. */
  | { readonly status: 'conflict' }
  | InProgressOutcome
  | FailedOutcome
  | DeadOutcome;

/** Another worker holds the event or a lane of it, or took it over: what becomes of it is decided there. */
export interface InProgressOutcome {
  readonly status: 'in_progress';
  readonly retryAfterMs: number;
}

/** A handler failed and will run again. */
export interface FailedOutcome extends Failures {
  readonly status: 'failed';
  /** `Infinity` without a queue when no attempt is left: the sender's next delivery is the retry. */
  readonly retryInMs: number;
}

/** The event failed for good: in this call, or before it, and then `failures` is empty. */
export interface DeadOutcome extends Failures {
  readonly status: 'dead';
}

interface Failures {
  /** Handlers that ran in this call, failed ones included. */
  readonly ran: number;
  readonly failures: readonly HandlerFailure[];
  /** Failures of earlier claims. */
  readonly failuresBefore: number;
}

/** What a claim that was not acquired says of the event. */
export function outcomeOfClaim(claim: Exclude<Claim, { status: 'acquired' }>): Outcome {
  switch (claim.status) {
    case 'busy':
      return { status: 'in_progress', retryAfterMs: claim.retryAfterMs };
    case 'done':
      return { status: 'duplicate' };
    case 'dead':
      return { status: 'dead', ran: 0, failures: NO_FAILURES, failuresBefore: claim.failures };
    case 'conflict':
      return { status: 'conflict' };
  }
}

/** What a queue hears. */
export function workOutcomeOf(outcome: Outcome): WorkOutcome {
  switch (outcome.status) {
    case 'processed':
    case 'duplicate':
      return { kind: 'done' };
    case 'unhandled':
    case 'conflict':
      return { kind: outcome.status };
    case 'in_progress':
      return { kind: 'retry', inMs: outcome.retryAfterMs };
    case 'failed':
      return { kind: 'retry', inMs: outcome.retryInMs, error: outcome.failures[0]?.error };
    case 'dead':
      return { kind: 'dead', error: outcome.failures[0]?.error ?? new Error('The event had failed for good before.') };
  }
}

/**
 * What `handle` returns of an event that ran before its reply.
 *
 * @throws WebhookError `id_conflict`.
 */
export function resultOfRun(outcome: Outcome, event: SignedEvent): WebhookResult {
  switch (outcome.status) {
    case 'processed':
      return resultOf('processed', event, outcome.ran);
    case 'failed':
      return resultOf('failed', event, outcome.ran, outcome.failures);
    case 'conflict':
      throw new WebhookError('id_conflict');
    case 'dead':
      // A worker of a queue on the same store buried the event meanwhile.
      return resultOf('in_progress', event);
    default:
      return resultOf(outcome.status, event);
  }
}

/**
 * What `handle` returns of an event that was handed to a queue.
 *
 * @throws WebhookError `id_conflict`.
 */
export function resultOfEnqueued(enqueued: Enqueued, event: SignedEvent): WebhookResult {
  if (enqueued === 'conflict') throw new WebhookError('id_conflict');
  return resultOf(enqueued === 'duplicate' ? 'duplicate' : 'queued', event);
}

// A class for its prototype's getters: own properties would travel with `{ ...result }` into the reply.
class Result implements WebhookResult {
  readonly status: WebhookResultStatus;
  readonly processed: number;
  readonly failed: number;
  readonly #signed: SignedEvent;
  #event: ReceivedWebhookEvent | undefined;
  readonly #failures: readonly HandlerFailure[];

  constructor(status: WebhookResultStatus, event: SignedEvent, processed: number, failures: readonly HandlerFailure[]) {
    this.status = status;
    this.processed = processed;
    this.failed = failures.length;
    this.#signed = event;
    this.#failures = failures;
  }

  get event(): ReceivedWebhookEvent {
    this.#event ??= this.#signed.forHook();
    return this.#event;
  }

  get failures(): readonly HandlerFailure[] {
    return this.#failures;
  }
}

/** A result of its parts. */
export function resultOf(
  status: WebhookResultStatus,
  event: SignedEvent,
  processed = 0,
  failures: readonly HandlerFailure[] = NO_FAILURES,
): WebhookResult {
  return new Result(status, event, processed, failures);
}
