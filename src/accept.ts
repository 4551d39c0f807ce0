import {
  AcceptedHead,
  SIGNATURE_HEADER,
  type WebhookBodyLimits,
  type WebhookDelivery,
  type WebhookDeliveryHead,
} from './delivery.ts';
import { WebhookError } from './errors.ts';
import { bytesOf } from './shared/bytes.ts';
import { readDigest, type WebhookSignature } from './signature.ts';

/** A delivery that has arrived whole, and the digest that it claims: nothing of it is verified yet. */
export interface Arrived {
  readonly body: Uint8Array;
  /** The 64 hex digits of its signature header. */
  readonly digest: string;
  readonly head: WebhookDeliveryHead;
}

/** Waits for a delivery, where it has to, and throws what refuses it. Called when the delivery is counted as open. */
export type Arrival = () => Arrived | Promise<Arrived>;

/**
 * Refuses what needs no body to be refused, in the documented order: method, parsed body, encoding, announced length,
 * signature header. Adapters call it before they read and hand on what it returns; `receive` calls it for the others.
 *
 * @throws WebhookError `method_not_allowed`, `body_already_parsed`, `unsupported_encoding`, `body_too_large`,
 *   `missing_signature` or `malformed_signature`.
 */
export function refuseHead(head: WebhookDeliveryHead, limits: WebhookBodyLimits, alreadyParsed = false): AcceptedHead {
  if (head.method !== 'POST') throw new WebhookError('method_not_allowed');
  if (alreadyParsed) throw new WebhookError('body_already_parsed');
  const encoding = head.header('content-encoding');
  if (encoding && encoding.trim().toLowerCase() !== 'identity') throw new WebhookError('unsupported_encoding');
  const announcedBytes = Number(head.header('content-length'));
  if (announcedBytes > limits.maxBodyBytes) throw new WebhookError('body_too_large');
  return new AcceptedHead(requireDigest(head.header(SIGNATURE_HEADER)), announcedBytes);
}

/**
 * The 64 hex digits of the signature header.
 *
 * @throws WebhookError `missing_signature` or `malformed_signature`.
 */
export function requireDigest(signature: WebhookSignature): string {
  const absent = signature == null || signature.length === 0;
  if (absent) throw new WebhookError('missing_signature');
  const digest = readDigest(signature);
  if (!digest) throw new WebhookError('malformed_signature');
  return digest;
}

/**
 * Refuses a delivery by its head, unless that was done before its body was read, and one that something before the route
 * cut short, as Next's proxy does. Servers hold a sender to the length that it announced, so less is a fault of the
 * set-up.
 *
 * @throws WebhookError whatever {@link refuseHead} throws, and `body_too_large`.
 */
export function acceptDelivery(delivery: WebhookDelivery, limits: WebhookBodyLimits): Arrived {
  const { accepted, body } = delivery;
  const { digest, announcedBytes } = AcceptedHead.is(accepted) ? accepted : refuseHead(delivery, limits);
  // A length that is missing or no number compares as false: only a larger number tells of a cut.
  if (!(body.length < announcedBytes)) return { body: toBytes(body, limits.maxBodyBytes), digest, head: delivery };
  const detail = 'It is shorter than its Content-Length: a proxy cut it. Next: keep the route out of its matcher.';
  throw new WebhookError('body_already_parsed', { detail });
}

/**
 * The bytes of a payload: text as UTF-8.
 *
 * @param maxBytes - The most that are taken. Default: any number.
 * @throws WebhookError `body_too_large`, and `body_already_parsed` for anything that is no payload.
 */
export function toBytes(payload: unknown, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  const bytes = bytesOf(payload);
  if (!bytes) throw new WebhookError('body_already_parsed');
  if (bytes.length > maxBytes) throw new WebhookError('body_too_large');
  return bytes;
}
