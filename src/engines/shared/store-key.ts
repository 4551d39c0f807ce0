import { createHash } from 'node:crypto';

const MOST_KEY_CHARACTERS = 200;
// Databases cut a text at a NUL, or replace half a character.
const UNSAFE = /[\0\p{Cs}]/u;

/**
 * The name of a row in a store that several endpoints share: the namespace, then the store's key (tenant and event id, or
 * an entity), joined by newlines; above 200 characters their SHA-256, so that no index holds what a sender makes long.
 */
export function storeKey(namespace: string, key: string): string {
  const whole = `${namespace}\n${key}`;
  if (whole.length <= MOST_KEY_CHARACTERS && !UNSAFE.test(whole)) return whole;
  // As JSON no two texts are the same bytes. No joined key looks like a hash, since each has a newline.
  return `sha256:${createHash('sha256').update(JSON.stringify(whole)).digest('hex')}`;
}

/** @throws TypeError for a namespace that is not 1 to 64 printable characters without a newline. */
export function checkNamespace(namespace: string): string {
  if (/^[^\p{C}\p{Zl}\p{Zp}]{1,64}$/u.test(namespace)) return namespace;
  throw new TypeError('`namespace` must have 1 to 64 printable characters.');
}
