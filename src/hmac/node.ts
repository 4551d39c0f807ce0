// A namespace import, since some runtimes that offer node:crypto lack its `hash`.
import * as crypto from 'node:crypto';
import { nativeSha256, nativeVerifier } from './native.ts';

export const hmacVerifier = /* @__PURE__ */ nativeVerifier(crypto);
export const sha256Hex = /* @__PURE__ */ nativeSha256(crypto);
