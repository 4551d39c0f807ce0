import type { WebhookDeliveryHead } from '../delivery.ts';
import { WebhookError } from '../errors.ts';
import type { ReceivedWebhookEvent } from '../events/index.ts';
import { resultOf, type WebhookResult } from '../outcome.ts';
import { parseWebhookEvent } from '../parse.ts';
import type { QueuedDelivery, QueueWork, WebhookQueue, WorkOutcome } from '../queue.ts';
import type { Core, Job } from './execution.ts';
import { type Processed, processEvent } from './process.ts';

// What a handler or a dead letter may need; the signature and cookies stay out of every store.
const KEPT_HEADERS = ['content-type', 'user-agent', 'x-request-id'];
const MOST_HEADER_CHARACTERS = 1024;

/**
 * Hands a verified event to the queue, whatever is registered here: workers may run elsewhere.
 *
 * @throws WebhookError `id_conflict` or `queue_unavailable`.
 */
export async function enqueueEvent(
  queue: WebhookQueue,
  job: Job,
  head: WebhookDeliveryHead,
  nowMs: number,
): Promise<WebhookResult> {
  const enqueued = await enqueue(queue, toQueued(job, head, nowMs));
  if (enqueued === 'conflict') throw new WebhookError('id_conflict');
  return resultOf(enqueued === 'duplicate' ? 'duplicate' : 'queued', job.event);
}

async function enqueue(queue: WebhookQueue, delivery: QueuedDelivery): ReturnType<WebhookQueue['enqueue']> {
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

// https://www.w3.org/TR/trace-context/#traceparent-header
function readTraceparent(value: string | undefined): string | undefined {
  return value && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value) ? value : undefined;
}

export interface WorkHooks {
  /** Applies the integrator's schemas. */
  prepare(event: ReceivedWebhookEvent): Promise<ReceivedWebhookEvent>;
  /** Told what became of each run. */
  settled(event: ReceivedWebhookEvent, outcome: Processed, startedAtMs: number): void;
}

/** What a queue's workers run for each delivery. Never rejects. */
export function createWork(core: Core, hooks: WorkHooks): QueueWork {
  return async (delivery, _attempt, signal) => {
    try {
      const startedAtMs = performance.now();
      // Verified when it was received, and kept as it was.
      const event = await hooks.prepare(parseWebhookEvent(delivery.body));
      const { key, tenant, body, bodyHash } = delivery;
      const { outcome, recorded } = await processEvent(core, { event, tenant, key, body, bodyHash }, signal);
      const final = recorded ? await recorded : outcome;
      hooks.settled(event, final, startedAtMs);
      return toWorkOutcome(final, event, core);
    } catch (error) {
      core.logger.error({ err: error, event_id: delivery.eventId }, 'A queued webhook event could not be taken up');
      return { kind: 'retry', inMs: STORE_RETRY_MS };
    }
  };
}

const STORE_RETRY_MS = 1000;

function toWorkOutcome(outcome: Processed, event: ReceivedWebhookEvent, core: Core): WorkOutcome {
  switch (outcome.status) {
    case 'busy':
      return { kind: 'retry', inMs: outcome.retryAfterMs };
    case 'failed': {
      const error = outcome.failures[0]?.error;
      return outcome.dead ? { kind: 'dead', error } : { kind: 'retry', inMs: outcome.retryInMs, error };
    }
    case 'conflict':
      core.report(new WebhookError('id_conflict'), event, {});
      return { kind: 'done' };
    default:
      return { kind: 'done' };
  }
}
