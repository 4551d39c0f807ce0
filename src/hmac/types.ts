/** Whether a payload's HMAC-SHA256 under one key is the 64 hex digits. */
export type HmacVerifier = (payload: Uint8Array, hexDigest: string) => boolean;
