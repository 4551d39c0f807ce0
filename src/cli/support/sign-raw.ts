import { curlOf } from '../../testing/fixtures/delivery-request.ts';
import { type DeliveryRequest, signWebhookPayload } from '../../testing/index.ts';

/** A signed delivery of bytes, whatever they are; the headers are those of another delivery, but for its signature. */
export function signRaw(
  body: Uint8Array,
  secret: string,
  url: URL,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): DeliveryRequest & { curl(): string } {
  const signed = { ...headers, 'x-pathfinder-signature': signWebhookPayload(body, secret) };
  const request: DeliveryRequest = { url: url.href, method: 'POST', body: Buffer.from(body), headers: signed };
  return { ...request, curl: () => curlOf(request) };
}
