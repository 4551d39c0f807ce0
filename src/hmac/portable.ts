import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { HmacVerifier } from './types.ts';

/** The same function as in `node.ts`, for runtimes without `node:crypto`. */
export function hmacVerifier(key: Uint8Array): HmacVerifier {
  const prepared = hmac.create(sha256, key);
  return (payload, hexDigest) => {
    return equalInConstantTime(prepared.clone().update(payload).digest(), hexToBytes(hexDigest));
  };
}

// Every byte is read whatever the earlier ones were, so the time taken says nothing of where two digests differ.
function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}

/** The SHA-256 of `bytes` as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}
