import type { ReceivedWebhookEvent } from '../events/index.ts';
import type { WebhookLogger } from '../report/logger.ts';
import type { RetryPolicyOptions } from '../retry/policy.ts';

/** What a handler gets beside its event. */
export interface HandlerContext {
  /** Runs of this handler for this event, this one included. */
  readonly attempt: number;
  /** Aborts at the handler's deadline, when the claim passes to another worker, and when a worker is stopped. */
  readonly signal: AbortSignal;
  /**
   * `<tenant:><event id>:<handler>`, a colon within one of them as `%3A`: the same on every attempt. Pass it to APIs that take
   * an idempotency key.
   */
  readonly idempotencyKey: string;
  /** The claim's number: grows with each claim of this event. */
  readonly fencingToken: number;
  readonly handlerName: string;
  readonly tenant?: string | undefined;
  /** A copy of the verified bytes. */
  readonly rawBody: Uint8Array;
  readonly logger: WebhookLogger;
  /**
   * Runs `work` once for this event and handler: a later attempt gets the stored result. Step names are 1 to 64 of
   * `A-Z a-z 0-9 _ . -`. A crash between the work and its checkpoint runs it again.
   *
   * @returns What JSON makes of the result, the first time too.
   * @throws NonRetryableError, at every attempt, when that is over 8 kB or no JSON: the work is done and is not run again.
   */
  once<T>(step: string, work: () => T | Promise<T>): Promise<T>;
  /** Whether this handler already applied a newer `created` for the entity. Equal seconds are not stale. */
  isStale(entity: string): Promise<boolean>;
  /** With `{ transaction: true }` on a store that offers it: the open transaction; its commit marks this handler done. */
  readonly tx?: unknown;
  /** With `{ transaction: true }` on a SQLite store: run once, in the transaction that marks this handler done. */
  // biome-ignore lint/suspicious/noExplicitAny: the driver's own database type, which the core does not know
  readonly commit?: ((effect: (db: any) => void) => void) | undefined;
}

/** Runs for an event. What it returns is awaited and dropped; what it throws makes it run again. */
export type Handler<Event> = (event: Event, context: HandlerContext) => unknown | Promise<unknown>;

/** Options of `on`. */
export interface HandlerOptions<Event = ReceivedWebhookEvent> {
  /** Names the handler's checkpoint, 1 to 64 of `A-Z a-z 0-9 _ . -`. Default: the function's name, else its place. */
  readonly name?: string;
  /** Marks the handler done in the transaction of its effects: `context.tx` or `context.commit`. Default false. */
  readonly transaction?: boolean;
  /** Runs one event of a key at a time. Anything but a string fails the run. */
  readonly serialBy?: (event: Event) => string;
  /** Overrides `handlerTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Overrides members of the handler's `retry`. */
  readonly retry?: RetryPolicyOptions;
}

/** A registered handler. */
export interface Registration {
  /** `<patterns>#<name>`: the handler's identity in checkpoints. */
  readonly id: string;
  readonly name: string;
  readonly patterns: readonly string[];
  readonly handler: Handler<ReceivedWebhookEvent>;
  readonly options: HandlerOptions;
}

/** How a handler ended. */
export type HandlerResult =
  | { readonly status: 'succeeded'; readonly registration: Registration; readonly runs: number }
  | {
      readonly status: 'failed';
      readonly registration: Registration;
      readonly runs: number;
      readonly error: unknown;
      /** The deadline passed; the handler may still be running. */
      readonly timedOut?: boolean;
    }
  /** Another event holds the handler's lane. */
  | { readonly status: 'waiting'; readonly registration: Registration; readonly runs: 0; readonly inMs: number };

export interface Registry {
  add(patterns: readonly string[], handler: Handler<ReceivedWebhookEvent>, options: HandlerOptions): void;
  remove(patterns: readonly string[], handler: Handler<ReceivedWebhookEvent>): void;
  /** The handlers of a type, in the order of their registration. */
  match(type: string): readonly Registration[];
  /** Every pattern that is registered. */
  patterns(): readonly string[];
}
