import type { WebhookError } from '../errors.ts';
import type { HandlerFailure, Outcome, WebhookResultStatus } from '../outcome.ts';
import type { QueueStats } from '../queue.ts';

/**
 * A delivery from its arrival to its reply: what the channel `pathfinder.webhooks.receive` and `telemetry` see of it. Of the
 * event nothing is known before the delivery is verified and read.
 */
export interface ReceiveTrace {
  readonly eventId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly tenant?: string | undefined;
  /** The event's own time, Unix seconds. */
  readonly created?: number | undefined;
  /** Unix milliseconds, by the clock of the handler. */
  readonly receivedAtMs?: number | undefined;
  /** Known at the end. `rejected`: `handle` threw, and the reply was made of its error. */
  readonly outcome?: WebhookResultStatus | 'rejected' | undefined;
  /** The handlers that failed before the reply, and with what. */
  readonly failures?: readonly HandlerFailure[] | undefined;
  /** Why it was rejected. */
  readonly error?: WebhookError | undefined;
}

/** A verified event at work, in a request or in a worker, from its claim until the store knows how it ended. */
export interface ProcessTrace {
  readonly eventId: string;
  readonly eventType: string;
  readonly tenant: string | undefined;
  /** The event's own time, Unix seconds. */
  readonly created: number;
  /** Of the raw body. */
  readonly bodyBytes: number;
  /** Whether a worker runs it, behind the reply. */
  readonly queued: boolean;
  /** Of a queued event: the W3C trace context of the request that received it. */
  readonly traceparent: string | undefined;
  /** Which claim of the event this is, from 1. Known once it is claimed. */
  readonly attempt?: number | undefined;
  /** Whether it was dead before, and is run again by a replay or a redelivery that kept its steps. Known once it is claimed. */
  readonly replayed?: boolean | undefined;
  /** Known once the body was read. */
  readonly apiVersion?: string | undefined;
  /** Known at the end; absent where the store could not be told. */
  readonly outcome?: Outcome['status'] | undefined;
  /** The handlers that failed, and with what. */
  readonly failures?: readonly HandlerFailure[] | undefined;
  /** What the store said, where it failed. */
  readonly error?: unknown;
}

/** One attempt of a handler. It ends with the handler, or at its deadline. */
export interface HandlerTrace {
  readonly eventId: string;
  readonly eventType: string;
  readonly tenant: string | undefined;
  readonly handlerName: string;
  /** Runs of this handler for this event, this one included. */
  readonly attempt: number;
  /** Known at the end: what it threw, or a `WebhookError` of the code `handler_timeout`. Absent where it succeeded. */
  readonly error?: unknown;
}

/** What telemetry may know of the handler that it observes. */
export interface ObservedReceiver {
  /** Pathfinder's types and the declared ones: all others are the sender's words, and without bound. */
  readonly eventTypes: readonly string[];
  /** Counts what the queue holds; absent without one. Rejects when there is no answer in `storeTimeoutMs`. */
  readonly stats: (() => Promise<QueueStats>) | undefined;
}

/**
 * Observes a `WebhookHandler`; `@pathfinder/webhooks/otel` makes one for OpenTelemetry. A hook gets what is known of some work
 * and `run`, which starts it: whoever calls `run` in an asynchronous context has the work in that. What a hook returns is
 * called when the work has ended and the trace is complete. A hook that throws, or does not call `run`, stops nothing.
 *
 * @example
 * ```ts
 * const telemetry: WebhookTelemetry = {
 *   handler(trace, run) {
 *     const startedAtMs = performance.now();
 *     run();
 *     return () => console.log(trace.handlerName, performance.now() - startedAtMs, trace.error);
 *   },
 * };
 * ```
 */
export interface WebhookTelemetry {
  /** Told of the handler when that is made, and by `start` after a `stop`. Returns what `stop` calls. */
  attach?(receiver: ObservedReceiver): (() => void) | undefined;
  /** Whether its hooks are to be called now. Asked for each piece of work. Default: they are. */
  isEnabled?(): boolean;
  /** Around a delivery. */
  receive?(trace: ReceiveTrace, run: () => void): (() => void) | undefined;
  /** Around a verified event at work. */
  process?(trace: ProcessTrace, run: () => void): (() => void) | undefined;
  /** Around one attempt of a handler. */
  handler?(trace: HandlerTrace, run: () => void): (() => void) | undefined;
  /** The W3C trace context of the request that receives an event, kept with that in the queue. Default: its header. */
  traceparent?(): string | undefined;
}
