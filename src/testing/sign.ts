import { createHash, createHmac } from 'node:crypto';
import type { WebhookPayload } from '../verify.ts';

const SECRET_CURE =
  'Signing secret: pass a non-empty string or Uint8Array, without outer white space or lone surrogates: what verifyWebhookSignature takes';
const PAYLOAD_CURE =
  'Payload to sign: pass the exact text or bytes that will be sent. JSON.stringify an object once, sign that text and send that text';

/**
 * The `X-Pathfinder-Signature` of a payload, as Pathfinder makes it: `sha256=` and 64 lower-case hex digits. For tests
 * and tools: a receiver only ever verifies.
 *
 * @param payload - The exact text (as UTF-8) or bytes that are sent.
 * @param secret - One signing secret; a string counts as UTF-8, and nothing is stripped or decoded.
 * @throws TypeError for a secret that `verifyWebhookSignature` would refuse, and for a payload that is an object.
 */
export function signWebhookPayload(payload: WebhookPayload, secret: string | Uint8Array): string {
  const usable = typeof secret === 'string' ? !/^$|^\s|\s$|\p{Cs}/u.test(secret) : isBytes(secret) && secret.length > 0;
  if (!usable) throw new TypeError(SECRET_CURE);
  if (typeof payload !== 'string' && !(payload instanceof ArrayBuffer) && !isBytes(payload)) {
    throw new TypeError(PAYLOAD_CURE);
  }
  return `sha256=${hmacHex(toSignedBytes(payload), toSignedBytes(secret))}`;
}

/**
 * The first 4 hex digits of a secret's SHA-256: enough to tell two secrets apart, and safe to show.
 *
 * @throws TypeError for what is neither a string nor bytes.
 */
export function secretFingerprint(secret: string | Uint8Array): string {
  if (typeof secret !== 'string' && !isBytes(secret)) throw new TypeError('Pass one secret: a string or a Uint8Array.');
  return createHash('sha256').update(secret).digest('hex').slice(0, 4);
}

/** The HMAC-SHA256 as hex, of whatever bytes: unlike {@link signWebhookPayload} it refuses no key. @internal */
export function hmacHex(body: Uint8Array, key: Uint8Array): string {
  return createHmac('sha256', key).update(body).digest('hex');
}

/** Text as UTF-8, bytes as they are. @internal */
export function toSignedBytes(value: WebhookPayload): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}
