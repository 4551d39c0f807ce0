import { type DeliveryRequest, signWebhookPayload } from '../../testing/index.ts';

/** A signed delivery of bytes, whatever they are; the headers are those of another delivery, but for its signature. */
export function signRaw(
  body: Uint8Array,
  secret: string,
  url: URL,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): DeliveryRequest {
  const signed = { ...headers, 'x-pathfinder-signature': signWebhookPayload(body, secret) };
  return { url: url.href, method: 'POST', body: Buffer.from(body), headers: signed };
}
