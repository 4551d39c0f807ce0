import type { WebhookDeliveryHead } from '../delivery.ts';
import type { Enqueued, QueuedDelivery, WebhookQueue } from '../queue.ts';
import type { Asker } from './ask.ts';
import type { Job } from './core.ts';

// The headers that a handler or a dead letter may need; the signature and cookies stay out of every store.
const KEPT_HEADERS = ['content-type', 'user-agent', 'x-request-id'];
const MOST_HEADER_CHARACTERS = 1024;
const ENQUEUED: ReadonlySet<unknown> = new Set(['accepted', 'duplicate', 'revived', 'conflict'] satisfies Enqueued[]);

/** The moment in which an event was received. */
export interface Receipt {
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** What telemetry says is the trace context of the request. Default: its header. */
  readonly traceparent: unknown;
}

/**
 * Hands a verified event to the queue, whatever is registered here: workers may run elsewhere.
 *
 * @throws WebhookError `queue_unavailable`.
 */
export function enqueueEvent(
  queue: WebhookQueue,
  asker: Asker,
  job: Job,
  head: WebhookDeliveryHead,
  { nowMs, traceparent }: Receipt,
): Promise<Enqueued> {
  const delivery = toQueued(
    job,
    head,
    nowMs,
    readTraceparent(traceparent) ?? readTraceparent(head.header('traceparent')),
  );
  return asker.ask(() => queue.enqueue(delivery), { isAnswer: isEnqueued });
}

// Only a queue's own word for it makes a reply of 202.
function isEnqueued(answer: unknown): boolean {
  return ENQUEUED.has(answer);
}

function toQueued(
  { event, tenant, key, body, bodyHash }: Job,
  head: WebhookDeliveryHead,
  nowMs: number,
  traceparent: string | undefined,
): QueuedDelivery {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = head.header(name);
    if (value) headers[name] = value.slice(0, MOST_HEADER_CHARACTERS);
  }
  return {
    key,
    eventId: event.id,
    type: event.type,
    tenant,
    created: event.created,
    body,
    bodyHash,
    headers,
    traceparent,
    receivedAtMs: nowMs,
  };
}

// The format is that of https://www.w3.org/TR/trace-context/#traceparent-header
function readTraceparent(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value) ? value : undefined;
}
