import { tagOf } from './realm.ts';

/** The bytes of text (as UTF-8), of a buffer, or of a view (by its offset and length: it is not its whole buffer), of any realm. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return new TextEncoder().encode(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  // Only a buffer has a length in bytes; that of another realm, as in a sandbox of tests, is no `instanceof`.
  return (value as ArrayBuffer)?.byteLength >= 0 ? new Uint8Array(value as ArrayBuffer) : undefined;
}

/** Whether the value is a Uint8Array, such as a Buffer, of any realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagOf(value) === 'Uint8Array';
}
