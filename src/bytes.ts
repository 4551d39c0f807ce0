import { WebhookError } from './errors.ts';

/**
 * The bytes of a payload: text as UTF-8, a view by its offset and length.
 *
 * @throws WebhookError `body_already_parsed` for anything else.
 */
export function toBytes(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (typeof payload === 'string') return new TextEncoder().encode(payload);
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  throw new WebhookError('body_already_parsed');
}
