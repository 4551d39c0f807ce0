import type { WebhookDeliveryHead } from '../delivery.ts';
import { WebhookError } from '../errors.ts';
import type { Enqueued, QueuedDelivery, WebhookQueue } from '../queue.ts';
import type { Job } from './core.ts';

// The headers that a handler or a dead letter may need; the signature and cookies stay out of every store.
const KEPT_HEADERS = ['content-type', 'user-agent', 'x-request-id'];
const MOST_HEADER_CHARACTERS = 1024;

/**
 * Hands a verified event to the queue, whatever is registered here: workers may run elsewhere.
 *
 * @param nowMs - When it was received, Unix milliseconds.
 * @throws WebhookError `queue_unavailable`.
 */
export async function enqueueEvent(
  queue: WebhookQueue,
  job: Job,
  head: WebhookDeliveryHead,
  nowMs: number,
): Promise<Enqueued> {
  const delivery = toQueued(job, head, nowMs);
  try {
    return await queue.enqueue(delivery);
  } catch (cause) {
    throw new WebhookError('queue_unavailable', { cause });
  }
}

function toQueued(
  { event, tenant, key, body, bodyHash }: Job,
  head: WebhookDeliveryHead,
  nowMs: number,
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
    traceparent: readTraceparent(head.header('traceparent')),
    receivedAtMs: nowMs,
  };
}

// The format is that of https://www.w3.org/TR/trace-context/#traceparent-header
function readTraceparent(value: string | undefined): string | undefined {
  return value && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value) ? value : undefined;
}
