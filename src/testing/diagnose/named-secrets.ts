import { isBytes } from '../../shared/bytes.ts';
import { secretFingerprint } from '../fixtures/sign.ts';

/** A secret to try. @internal */
export interface NamedSecret {
  /** The secret's name; its place in the list, from 0; or nothing when it is the only one. */
  readonly key: string | number | undefined;
  readonly value: string | Uint8Array;
  /** Whether it is this receiver's, and not another endpoint's. */
  readonly own: boolean;
}

/** The usable ones of one secret, a list of them, or secrets by name, of which the first is the receiver's. @internal */
export function listSecrets(secrets: unknown): NamedSecret[] {
  if (isUsable(secrets)) return [{ key: undefined, value: secrets, own: true }];
  if (Array.isArray(secrets)) {
    return secrets.flatMap((value: unknown, key) => (isUsable(value) ? [{ key, value, own: true }] : []));
  }
  if (typeof secrets !== 'object' || secrets === null || isBytes(secrets)) return [];
  return Object.entries(secrets).flatMap(([key, values]: [string, unknown], place) =>
    [values].flat().flatMap((value) => (isUsable(value) ? [{ key, value, own: place === 0 }] : [])),
  );
}

/** How to speak of a secret without showing it. @internal */
export function spoken({ key, value }: NamedSecret): string {
  const fingerprint = `(fingerprint ${secretFingerprint(value)})`;
  if (key === undefined) return `the secret ${fingerprint}`;
  return typeof key === 'number'
    ? `secret ${key + 1} of the list ${fingerprint}`
    : `the secret "${key}" ${fingerprint}`;
}

function isUsable(secret: unknown): secret is string | Uint8Array {
  if (typeof secret === 'string') return secret.trim() !== '' && !/\p{Cs}/u.test(secret);
  return isBytes(secret) && secret.length > 0;
}
