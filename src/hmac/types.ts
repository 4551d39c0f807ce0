/** Whether the HMAC-SHA256 of `payload` equals 64 lower-case hex digits, in constant time. */
export type HmacVerifier = (payload: Uint8Array, hexDigest: string) => boolean;
