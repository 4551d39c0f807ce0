/**
 * Verifies signatures, and nothing else: no dependency, about a kilobyte.
 *
 * @module @pathfinder/webhooks/verify
 */
import {
  createKeyring,
  matchesSignature,
  type WebhookPayload,
  type WebhookSecret,
  type WebhookSignature,
} from './signature.ts';

export type { WebhookPayload, WebhookSecret, WebhookSignature };

const keyring = /* @__PURE__ */ createKeyring();

/**
 * Tells whether `signature` is the `X-Pathfinder-Signature` of `payload` under `secret`: `sha256=` and the HMAC-SHA256
 * of the raw body as 64 lower-case hex digits, nothing else. Synchronous on every runtime, constant-time over the digest.
 *
 * Nothing that arrives from the network throws. A `payload` that a body parser left out (`undefined`, `null`, `{}`) is
 * `false`, with one warning.
 *
 * @param payload - The raw bytes, or the exact text; never a parsed object.
 * @param signature - The header; an array counts only with one element.
 * @param secret - One secret, or up to five, all of which are tried.
 * @throws TypeError for a programmer's mistake: an empty, blank, padded or ill-formed secret, more than five of them, or
 *   a parsed body.
 */
export function verifyWebhookSignature(
  payload: WebhookPayload,
  signature: WebhookSignature,
  secret: WebhookSecret,
): boolean {
  return matchesSignature(payload, signature, keyring(secret));
}
