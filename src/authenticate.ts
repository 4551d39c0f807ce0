import type { WebhookDeliveryHead } from './delivery.ts';
import { WebhookError } from './errors.ts';
import type { HmacVerifier } from './hmac/types.ts';
import type { WebhookLogger } from './report/logger.ts';
import type { Asker } from './run/ask.ts';
import { check } from './shared/check.ts';
import {
  createKeyring,
  matchesDigest,
  matchesSignature,
  type WebhookSecret,
  type WebhookSignature,
} from './signature.ts';

/** A tenant's secret, as a `secret` function returns it. */
export interface TenantSecret {
  readonly secret: WebhookSecret;
  /** 1 to 128 printable ASCII characters: part of every key, and in `context.tenant`. */
  readonly tenant: string;
}

/** Finds the secret of a delivery's tenant; sees no body, since nothing is verified yet. */
export type SecretResolver = (
  head: WebhookDeliveryHead,
) => TenantSecret | undefined | Promise<TenantSecret | undefined>;

/** Who a verified delivery is for. */
export interface Sender {
  readonly tenant: string | undefined;
}

export interface Authenticator {
  /**
   * Refuses what no secret signed.
   *
   * @param digest - The 64 hex digits that the delivery claims.
   * @throws WebhookError `signature_mismatch` or `secret_unavailable`.
   */
  authenticate(body: Uint8Array, digest: string, head: WebhookDeliveryHead): Sender | Promise<Sender>;
  /** For one's own flow; only where the secret does not depend on the delivery. */
  matches(payload: unknown, signature: WebhookSignature): boolean;
}

/** How long a `secret` function may take. */
export const RESOLVER_TIMEOUT_MS = 5000;
const SAFE_SECRET_LENGTH = 16;
const TENANT = /^[\x20-\x7e]{1,128}$/;
const ONE_SENDER: Sender = { tenant: undefined };
// Signs nothing that anybody sends; it stands in for a tenant that does not exist, so that both take the same work.
const DECOY = 'there is no such tenant';

/**
 * @param asker - Waits for a `secret` function.
 * @throws TypeError for a secret that `verifyWebhookSignature` refuses.
 */
export function createAuthenticator(
  secret: WebhookSecret | SecretResolver,
  asker: Asker,
  logger: Pick<WebhookLogger, 'warn'>,
): Authenticator {
  const keyring = createKeyring();
  if (typeof secret === 'function') return manyTenants(secret, asker, keyring);
  const keys = keyring(secret);
  // A short secret can be guessed at leisure from a single delivery that leaks.
  if ([secret].flat().some((one) => one.length < SAFE_SECRET_LENGTH)) {
    logger.warn({}, `A webhook secret is shorter than ${SAFE_SECRET_LENGTH} characters: use 32 random bytes.`);
  }
  return oneTenant(keys);
}

function oneTenant(keys: readonly HmacVerifier[]): Authenticator {
  return {
    authenticate(body, digest) {
      refuseMismatch(body, digest, keys);
      return ONE_SENDER;
    },
    matches: (payload, signature) => matchesSignature(payload, signature, keys),
  };
}

function manyTenants(resolve: SecretResolver, asker: Asker, keyring: ReturnType<typeof createKeyring>): Authenticator {
  return {
    async authenticate(body, digest, head) {
      // What a driver gives for no row is no tenant either.
      const found = (await asker.ask(() => resolve(withoutBody(head)))) ?? undefined;
      let keys: readonly HmacVerifier[];
      let tenant: string | undefined;
      try {
        keys = keyring(found === undefined ? DECOY : found.secret);
        if (found) tenant = requireTenant(found.tenant);
      } catch (cause) {
        throw new WebhookError('secret_unavailable', { cause });
      }
      // The decoy is compared as well, so that both answers take the same work.
      const matches = matchesDigest(body, digest, keys);
      if (!found || !matches) throw new WebhookError('signature_mismatch');
      return { tenant };
    },
    matches() {
      throw new TypeError(
        'verifySignature needs a fixed secret; this handler looks one up for each delivery. Call receive.',
      );
    },
  };
}

// Adapters hand in the whole delivery; of an unverified body nothing may be known.
function withoutBody(head: WebhookDeliveryHead): WebhookDeliveryHead {
  const { method, url, params, env } = head;
  return { method, url, params, env, header: (name) => head.header(name), waitUntil: (work) => head.waitUntil?.(work) };
}

function requireTenant(tenant: unknown): string {
  check(
    typeof tenant === 'string' && TENANT.test(tenant),
    '`tenant`',
    'a string of 1 to 128 printable ASCII characters',
  );
  return tenant;
}

/** @throws WebhookError `signature_mismatch`. */
export function refuseMismatch(body: Uint8Array, digest: string, keys: readonly HmacVerifier[]): void {
  if (!matchesDigest(body, digest, keys)) throw new WebhookError('signature_mismatch');
}
