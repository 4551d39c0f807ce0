import type { DeadLetterQuery, ReplayOptions } from '../../index.ts';
import { positive, positiveInteger } from '../../shared/check.ts';
import { sleep } from '../../shared/time.ts';

const MOST_AT_ONCE = 256;
const DEFAULT_LIMIT = 100;

/** What a filter of dead letters by type asks for: one name, or all names that begin alike. */
export interface TypeFilter {
  readonly exact: string | undefined;
  readonly prefix: string | undefined;
}

/** Reads an event type or pattern; no pattern is all types. Below a prefix all types match, known or not. */
export function typeFilter(pattern: string | undefined): TypeFilter {
  if (pattern === undefined || pattern === '*') return { exact: undefined, prefix: '' };
  if (pattern.endsWith('.*')) return { exact: undefined, prefix: pattern.slice(0, -1) };
  return { exact: pattern, prefix: undefined };
}

/** The same for one type in hand. */
export function matchesType({ exact, prefix }: TypeFilter, type: string): boolean {
  return prefix === undefined ? type === exact : type.startsWith(prefix);
}

/** How many to list. @throws TypeError for what is no whole number from 1. */
export function listLimit(limit: number = DEFAULT_LIMIT): number {
  return positiveInteger('limit', limit);
}

/** Whether dead letters are named one by one. */
export function isIds(which: readonly string[] | DeadLetterQuery): which is readonly string[] {
  return Array.isArray(which);
}

/**
 * The events that an id of a dead letter may mean, likeliest first: both tenants and event ids may hold a colon, so the
 * text alone does not tell.
 */
export function lettersNamed(id: string): readonly { readonly tenant: string | undefined; readonly eventId: string }[] {
  const named: { tenant: string | undefined; eventId: string }[] = [{ tenant: undefined, eventId: id }];
  for (let at = id.indexOf(':'); at !== -1; at = id.indexOf(':', at + 1)) {
    named.push({ tenant: id.slice(0, at), eventId: id.slice(at + 1) });
  }
  return named;
}

/**
 * Replays one after the other at the rate that was asked for, or many at once without one.
 *
 * @param replayAll - Queues these again, and returns how many were dead.
 * @throws TypeError for a rate that makes no sense; the signal's reason once it has aborted.
 */
export async function replayPaced<T>(
  which: readonly T[],
  { ratePerSecond = Number.POSITIVE_INFINITY, signal }: ReplayOptions,
  replayAll: (some: readonly T[]) => Promise<number>,
): Promise<number> {
  positive('ratePerSecond', ratePerSecond);
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
