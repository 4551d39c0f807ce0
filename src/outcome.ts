import type { ReceivedWebhookEvent } from './events/index.ts';
import type { HandlerFailure } from './run/process.ts';

/** What became of a verified delivery, in a word. */
export type WebhookResultStatus = 'processed' | 'failed' | 'duplicate' | 'in_progress' | 'queued' | 'unhandled';

/** What became of a verified delivery. */
export interface WebhookResult {
  readonly status: WebhookResultStatus;
  /** Handlers that ran in this call, failed ones included. */
  readonly processed: number;
  readonly failed: number;
  /** Not enumerable: a spread into a reply does not send it. */
  readonly event: ReceivedWebhookEvent;
  /** The handlers that failed, and with what. Not enumerable either. */
  readonly failures: readonly HandlerFailure[];
}

const NO_FAILURES: readonly HandlerFailure[] = /* @__PURE__ */ Object.freeze([]);

// A class for its prototype's getters: own properties would travel with `{ ...result }` into the reply.
class Result implements WebhookResult {
  readonly status: WebhookResultStatus;
  readonly processed: number;
  readonly failed: number;
  readonly #event: ReceivedWebhookEvent;
  readonly #failures: readonly HandlerFailure[];

  constructor(
    status: WebhookResultStatus,
    event: ReceivedWebhookEvent,
    processed: number,
    failures: readonly HandlerFailure[],
  ) {
    this.status = status;
    this.processed = processed;
    this.failed = failures.length;
    this.#event = event;
    this.#failures = failures;
  }

  get event(): ReceivedWebhookEvent {
    return this.#event;
  }

  get failures(): readonly HandlerFailure[] {
    return this.#failures;
  }
}

export function resultOf(
  status: WebhookResultStatus,
  event: ReceivedWebhookEvent,
  processed = 0,
  failures: readonly HandlerFailure[] = NO_FAILURES,
): WebhookResult {
  return new Result(status, event, processed, failures);
}
