// A namespace import, since some runtimes that offer node:crypto lack its `hash`.
import * as crypto from 'node:crypto';
import type { HmacVerifier } from './types.ts';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
// Bodies up to this length are copied behind the key pad and hashed once, which is a third faster than createHmac at 1 kB;
// above it the copy costs more.
const ONE_SHOT_BYTES = 16_384;

// These buffers serve all keys: a verification is synchronous, so no two ever use them at a time.
const inner = /* @__PURE__ */ Buffer.alloc(BLOCK_BYTES + ONE_SHOT_BYTES);
const computed = /* @__PURE__ */ Buffer.alloc(DIGEST_BYTES);
const claimed = /* @__PURE__ */ Buffer.alloc(DIGEST_BYTES);

/** Prepares a key and returns the comparison of a payload's HMAC-SHA256 (RFC 2104) with 64 hex digits. */
export function hmacVerifier(secret: Uint8Array): HmacVerifier {
  const innerPad = Buffer.alloc(BLOCK_BYTES);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  const key = secret.length > BLOCK_BYTES ? crypto.createHash('sha256').update(secret).digest() : Buffer.from(secret);
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = key[i] ?? 0;
    innerPad[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }

  const { hash, timingSafeEqual } = crypto;
  // Digests travel as binary strings: one-shot hashes return those faster than buffers.
  function digest(body: Uint8Array): string {
    if (!hash || body.length > ONE_SHOT_BYTES) return crypto.createHmac('sha256', key).update(body).digest('binary');
    inner.set(innerPad);
    inner.set(body, BLOCK_BYTES);
    outer.write(hash('sha256', inner.subarray(0, BLOCK_BYTES + body.length), 'binary'), BLOCK_BYTES, 'binary');
    return hash('sha256', outer, 'binary');
  }

  return (payload, hexDigest) => {
    computed.write(digest(payload), 'binary');
    claimed.write(hexDigest, 'hex');
    return timingSafeEqual(computed, claimed);
  };
}

/** The SHA-256 of `bytes` as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return crypto.hash ? crypto.hash('sha256', bytes, 'hex') : crypto.createHash('sha256').update(bytes).digest('hex');
}
