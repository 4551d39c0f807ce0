import { SIGNATURE_HEADER } from '../../delivery.ts';
import type { AnyWebhookEvent } from '../../events/index.ts';
import { backoffMs, type RetryPolicy } from '../../retry/policy.ts';
import { signWebhookPayload } from '../fixtures/sign.ts';
import { tamperEvent } from '../fixtures/signed-request.ts';
import { PostError, type PostReply, post } from '../post.ts';
import type { Endpoint } from './endpoints.ts';
import type { SeededRandom } from './random.ts';
import type { Job } from './scheduler.ts';

const MAX_REPLY_BYTES = 65_536;
const MOST_OVERTAKERS = 3;

/** One attempt at one delivery, as the sandbox's ledger keeps it. */
export interface SandboxAttempt {
  /** The event's id, as it was to be delivered. */
  readonly id: string;
  /** The event's type. */
  readonly type: string;
  /** The id of the webhook it went to. */
  readonly endpoint: string;
  readonly url: string;
  /** From 1. */
  readonly attempt: number;
  /** 1, or 2 for the copy of an event that was delivered twice. Each copy has its own attempts. */
  readonly copy: 1 | 2;
  /** Whether the body was altered after signing, in this attempt. */
  readonly tampered: boolean;
  /** Of the reply; `undefined` without one. */
  readonly status: number | undefined;
  /** The body of the reply, its first 64 KiB, or `''`. */
  readonly body: string;
  /** Why there was no reply. */
  readonly error: string | undefined;
  /** 2xx is `delivered`; anything else is followed by another attempt (`retrying`) or by none (`failed`). */
  readonly outcome: 'delivered' | 'retrying' | 'failed';
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly durationMs: number;
}

/** How deliveries are made to go wrong. @internal */
export interface DeliverySettings {
  readonly signWith: 'secret' | 'signing_key';
  readonly retry: RetryPolicy;
  readonly delayMs: readonly [min: number, max: number];
  readonly duplicateRate: number;
  readonly reorderRate: number;
  readonly tamperRate: number;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** The endpoint as it is at the moment of an attempt: it may have been changed, switched off or deleted. */
  readonly current: (id: string) => Endpoint | undefined;
  readonly record: (attempt: SandboxAttempt) => void;
}

/**
 * The one or two deliveries of an event to an endpoint. Everything that is left to chance is drawn here, in the order of
 * the calls, or from a generator of the delivery's own: the timing of other deliveries changes nothing.
 *
 * @internal
 */
export function planDeliveries(
  event: AnyWebhookEvent,
  endpoint: Endpoint,
  random: SeededRandom,
  settings: DeliverySettings,
): Job[] {
  const duplicated = random.next() < settings.duplicateRate;
  const copies = [1, 2].map((copy) =>
    planCopy({ event, endpointId: endpoint.id, copy: copy as 1 | 2 }, random, settings),
  );
  return duplicated ? copies : copies.slice(0, 1);
}

interface Copy {
  readonly event: AnyWebhookEvent;
  readonly endpointId: string;
  readonly copy: 1 | 2;
}

// Draws the same number of times whatever the settings are, so that changing one of them leaves the rest as it was.
function planCopy(copy: Copy, random: SeededRandom, settings: DeliverySettings): Job {
  const [minMs, maxMs] = settings.delayMs;
  const delayMs = minMs + random.next() * (maxMs - minMs);
  const reordered = random.next() < settings.reorderRate;
  const overtakers = 1 + Math.floor(random.next() * MOST_OVERTAKERS);
  const own = random.fork();
  let attempt = 0;
  return {
    dueAtMs: performance.now() + delayMs,
    yieldsTo: reordered ? overtakers : 0,
    async run() {
      attempt++;
      const endpoint = settings.current(copy.endpointId);
      if (!endpoint?.active || settings.signal.aborted) return undefined;
      const tampered = own.next() < settings.tamperRate;
      const delivered = await attemptOnce({ ...copy, endpoint, attempt, tampered }, settings);
      const backoff = backoffMs(attempt, settings.retry, own.next);
      return delivered || attempt >= settings.retry.attempts ? undefined : backoff;
    },
  };
}

interface Attempt extends Copy {
  readonly endpoint: Endpoint;
  readonly attempt: number;
  readonly tampered: boolean;
}

async function attemptOnce(attempt: Attempt, settings: DeliverySettings): Promise<boolean> {
  const { event, endpoint, tampered } = attempt;
  const startedAtMs = settings.now();
  const started = performance.now();
  const outcome = await postSigned(event, endpoint, tampered, settings);
  const status = 'status' in outcome ? outcome.status : undefined;
  const delivered = status !== undefined && status >= 200 && status < 300;
  const last = attempt.attempt >= settings.retry.attempts || settings.signal.aborted;
  settings.record({
    id: event.id,
    type: event.type,
    endpoint: endpoint.id,
    url: endpoint.url,
    attempt: attempt.attempt,
    copy: attempt.copy,
    tampered,
    status,
    body: 'status' in outcome ? outcome.body : '',
    error: 'status' in outcome ? undefined : outcome.message,
    outcome: delivered ? 'delivered' : last ? 'failed' : 'retrying',
    startedAtMs,
    durationMs: performance.now() - started,
  });
  return delivered;
}

async function postSigned(
  event: AnyWebhookEvent,
  endpoint: Endpoint,
  tampered: boolean,
  { signWith, timeoutMs, signal }: DeliverySettings,
): Promise<PostReply | PostError> {
  const signed = Buffer.from(JSON.stringify(event), 'utf8');
  const secret = signWith === 'secret' ? (endpoint.secret ?? endpoint.signing_key) : endpoint.signing_key;
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Pathfinder-Webhooks-Sandbox',
    [SIGNATURE_HEADER]: signWebhookPayload(signed, secret),
  };
  const body = tampered ? Buffer.from(JSON.stringify(tamperEvent(event)), 'utf8') : signed;
  try {
    return await post(endpoint.url, { headers, body, timeoutMs, maxReplyBytes: MAX_REPLY_BYTES, signal });
  } catch (error) {
    return error instanceof PostError ? error : new PostError('unreachable', String(error));
  }
}
