import { WebhookError } from '../errors.ts';

/**
 * The bytes of a payload: text as UTF-8, a view by its offset and length.
 *
 * @param maxBytes - The most that are taken. Default: any number.
 * @throws WebhookError `body_too_large`, and `body_already_parsed` for anything that is no payload.
 */
export function toBytes(payload: unknown, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  const bytes = bytesOf(payload);
  if (bytes.length > maxBytes) throw new WebhookError('body_too_large');
  return bytes;
}

function bytesOf(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (typeof payload === 'string') return new TextEncoder().encode(payload);
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  throw new WebhookError('body_already_parsed');
}
