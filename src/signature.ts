import { hmacVerifier } from '#hmac';
import type { HmacVerifier } from './hmac/types.ts';
import { bytesOf } from './shared/bytes.ts';

/** The raw body of a delivery, as it came off the network. A `Buffer` is a `Uint8Array`. */
export type WebhookPayload = string | Uint8Array | ArrayBuffer;

/** One signing secret (a string counts as UTF-8), or up to five while rotating. */
export type WebhookSecret = string | Uint8Array | readonly (string | Uint8Array)[];

/** The value of the signature header, as any framework hands it over. */
export type WebhookSignature = string | readonly string[] | null | undefined;

const MOST_SECRETS = 5;
const MOST_KEYS = 16;
const SECRET_CURE =
  'Webhook secret: pass 1 to 5 non-empty strings or Uint8Arrays, no outer white space, no lone surrogates';
const BODY_CURE = 'Pass the raw body: use express.raw() or an adapter';

/** Whether one of the keys signed the payload. Rules: `verifyWebhookSignature`. */
export function matchesSignature(
  payload: unknown,
  signature: WebhookSignature,
  keys: readonly HmacVerifier[],
): boolean {
  const body = rawBytesOf(payload);
  const digest = readDigest(signature);
  return body !== undefined && digest !== undefined && matchesDigest(body, digest, keys);
}

/** Whether `digest`, 64 hex digits, is the payload's under one of the keys. */
export function matchesDigest(payload: Uint8Array, digest: string, keys: readonly HmacVerifier[]): boolean {
  // No early exit: how long it takes must not tell which secret matched.
  let matched = false;
  for (const key of keys) matched = key(payload, digest) || matched;
  return matched;
}

/** The 64 hex digits of a well-formed header, else `undefined`. */
export function readDigest(signature: unknown): string | undefined {
  const header = Array.isArray(signature) && signature.length === 1 ? signature[0] : signature;
  // The grammar comes before any decoding: lenient hex decoders accept what this refuses.
  return typeof header === 'string' && /^sha256=[0-9a-f]{64}$/.test(header) ? header.slice(7) : undefined;
}

/** A cache of at most 16 prepared keys, the least recently used leaving first; checks each secret it meets. */
export function createKeyring(): (secret: WebhookSecret) => readonly HmacVerifier[] {
  const cache = new Map<unknown, HmacVerifier>();
  let newest: unknown;
  let newestKeys: readonly HmacVerifier[];

  function keyOf(secret: unknown): HmacVerifier {
    const key = cache.get(secret) ?? hmacVerifier(encodeSecret(secret));
    // Bytes can change under the same reference, so only strings are remembered.
    if (typeof secret === 'string') {
      cache.delete(secret);
      cache.set(secret, key);
      if (cache.size > MOST_KEYS) cache.delete(cache.keys().next().value);
    }
    return key;
  }

  return (secret) => {
    // Without this short cut for the same secret again, a verification of 250 bytes would take a third longer.
    if (typeof secret === 'string' && secret === newest) return newestKeys;
    const secrets = [secret].flat();
    if (!secrets.length || secrets.length > MOST_SECRETS) throw new TypeError(SECRET_CURE);
    newestKeys = secrets.map(keyOf);
    newest = secret;
    return newestKeys;
  };
}

function encodeSecret(secret: unknown): Uint8Array {
  // An ill-formed string would be hashed as another one; white space around a secret is a slip of copying.
  const isText = typeof secret === 'string' && !/^\s|\s$|\p{Cs}/u.test(secret);
  const bytes = isText || ArrayBuffer.isView(secret) ? bytesOf(secret) : undefined;
  if (bytes?.length) return bytes;
  throw new TypeError(SECRET_CURE);
}

let warned = false;

function rawBytesOf(payload: unknown): Uint8Array | undefined {
  const bytes = bytesOf(payload);
  if (bytes) return bytes;
  if (payload != null && JSON.stringify(payload) !== '{}') throw new TypeError(`${BODY_CURE}, not a parsed one`);
  if (!warned) console.warn(BODY_CURE);
  warned = true;
  return undefined;
}
