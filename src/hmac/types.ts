/** Whether the HMAC-SHA256 of `payload` (a string counts as UTF-8) equals 64 lower-case hex digits, in constant time. */
export type HmacVerifier = (payload: string | Uint8Array, hexDigest: string) => boolean;
