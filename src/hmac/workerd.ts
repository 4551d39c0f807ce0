import { nativeSha256, nativeVerifier } from './native.ts';
import * as portable from './portable.ts';

// `node:crypto` is there in a Worker with the flag `nodejs_compat`; an import of it would keep one without from starting.
const { process } = globalThis as { process?: Partial<Pick<NodeJS.Process, 'getBuiltinModule'>> };
const crypto = /* @__PURE__ */ process?.getBuiltinModule?.('node:crypto');

export const hmacVerifier = crypto ? /* @__PURE__ */ nativeVerifier(crypto) : portable.hmacVerifier;
export const sha256Hex = crypto ? /* @__PURE__ */ nativeSha256(crypto) : portable.sha256Hex;
