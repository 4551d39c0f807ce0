import type { DeadLetterAddress, DeadLetterQuery, DeadReason, ReplayOptions } from '../../index.ts';
import { check, checkNames, type OptionNames, positive, positiveInteger } from '../../shared/check.ts';
import { sleep } from '../../shared/time.ts';

const MOST_AT_ONCE = 256;
const DEFAULT_LIMIT = 100;
const KEY = /^letter_([\w-]{1,64})$/;
const REASONS: readonly DeadReason[] = ['failed', 'unhandled', 'poison'];
const QUERY_NAMES: OptionNames<DeadLetterQuery> = {
  reason: true,
  type: true,
  tenant: true,
  sinceMs: true,
  limit: true,
};
const REPLAY_NAMES: OptionNames<ReplayOptions> = { steps: true, ratePerSecond: true, signal: true };

/** A dead letter by its name, or by its event. */
export type ReadAddress = { readonly letter: string } | { readonly id: string; readonly tenant: string | undefined };

/** The `key` of the dead letter that an engine knows by this name, which it never uses for another event. */
export function letterKey(name: number | string): string {
  return `letter_${name}`;
}

/** The number of an address, for an engine whose names are numbers. */
export function letterNumber(letter: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(letter) ? Number(letter) : undefined;
}

/**
 * Reads where a dead letter is to be found. A dead letter stands for itself: its key comes first.
 *
 * @throws TypeError for what is no address: an event's id alone, say.
 */
export function readAddress(address: DeadLetterAddress): ReadAddress {
  const { key = address, id, tenant } = (Object(address) ?? {}) as Readonly<Record<string, unknown>>;
  const letter = typeof key === 'string' ? KEY.exec(key)?.[1] : undefined;
  if (letter !== undefined) return { letter };
  const isEvent = typeof id === 'string' && id !== '' && (tenant === undefined || typeof tenant === 'string');
  check(
    isEvent && typeof address === 'object',
    'The address of a dead letter',
    'the `key` that list() gave, or { id, tenant }',
  );
  return { id, tenant } as ReadAddress;
}

/** Reads the addresses of a list. @throws TypeError for what is none, and for one that is no address. */
export function readAddresses(addresses: readonly DeadLetterAddress[]): readonly ReadAddress[] {
  check(Array.isArray(addresses), 'The addresses of dead letters', 'an array');
  return addresses.map(readAddress);
}

/** Whether dead letters are named one by one. */
export function isAddresses(
  which: readonly DeadLetterAddress[] | DeadLetterQuery,
): which is readonly DeadLetterAddress[] {
  return Array.isArray(which);
}

/** A filter of dead letters as an engine uses it. */
export interface LetterFilter {
  /** `undefined` stands for `failed` and `poison`. */
  readonly reason: DeadReason | undefined;
  /** The type, or else how the type begins. */
  readonly exact: string | undefined;
  readonly prefix: string | undefined;
  readonly tenant: string | undefined;
  readonly sinceMs: number;
  readonly limit: number;
}

/** Reads a filter. Below a prefix all types match, known or not. @throws TypeError for what makes no sense. */
export function readQuery(query: DeadLetterQuery): LetterFilter {
  checkNames('deadLetters', query, QUERY_NAMES);
  const { reason, type, tenant, sinceMs = 0, limit = DEFAULT_LIMIT } = query;
  check(reason === undefined || REASONS.includes(reason), '`reason`', "'failed', 'unhandled' or 'poison'");
  check(type === undefined || typeof type === 'string', '`type`', 'an event type or pattern');
  check(tenant === undefined || typeof tenant === 'string', '`tenant`', 'a string');
  check(Number.isFinite(sinceMs), '`sinceMs`', 'a time in Unix milliseconds');
  return { reason, ...readType(type), tenant, sinceMs, limit: positiveInteger('limit', limit) };
}

function readType(pattern: string | undefined): Pick<LetterFilter, 'exact' | 'prefix'> {
  if (pattern === undefined || pattern === '*') return { exact: undefined, prefix: '' };
  if (pattern.endsWith('.*')) return { exact: undefined, prefix: pattern.slice(0, -1) };
  return { exact: pattern, prefix: undefined };
}

/** How dead letters are replayed, with every default in place. */
export interface ReplaySettings {
  readonly keepSteps: boolean;
  readonly ratePerSecond: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws TypeError for options that make no sense. */
export function readReplay(options: ReplayOptions): ReplaySettings {
  checkNames('replay', options, REPLAY_NAMES);
  const { steps = 'keep', ratePerSecond = Number.POSITIVE_INFINITY, signal } = options;
  check(steps === 'keep' || steps === 'clear', '`steps`', "'keep' or 'clear'");
  positive('ratePerSecond', ratePerSecond);
  return { keepSteps: steps === 'keep', ratePerSecond, signal };
}

/**
 * Replays one after the other at the rate that was asked for, or many at once without one.
 *
 * @param replayAll - Queues these again, and returns how many were dead.
 * @throws The signal's reason once it has aborted.
 */
export async function replayPaced<T>(
  which: readonly T[],
  { ratePerSecond, signal }: ReplaySettings,
  replayAll: (some: readonly T[]) => Promise<number>,
): Promise<number> {
  const startedAtMs = performance.now();
  const atOnce = ratePerSecond === Number.POSITIVE_INFINITY ? MOST_AT_ONCE : 1;
  let replayed = 0;
  for (let done = 0; done < which.length; done += atOnce) {
    signal?.throwIfAborted();
    const waitMs = startedAtMs + (done * 1000) / ratePerSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs, signal);
    replayed += await replayAll(which.slice(done, done + atOnce));
  }
  return replayed;
}
