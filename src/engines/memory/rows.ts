import { consoleLogger, type WebhookLogger } from '../../report/logger.ts';
import { checkNames, type OptionNames, positive } from '../../shared/check.ts';
import { unheeded } from '../../shared/guard.ts';
import { createSteadyClock } from '../../shared/steady-clock.ts';
import type { Claim, ClaimOptions, FailOptions } from '../../store.ts';
import { FIRST_CLAIM, type Finished, FinishedList } from './finished.ts';
import { type Details, isForgettable, type MemoryRows, type Row } from './row.ts';
import { Versions } from './versions.ts';

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Most ids remembered at once. Default 100,000. */
  readonly maxEntries?: number;
  /** How long a finished id is remembered. Default 7 days. */
  readonly retentionMs?: number;
  /** Milliseconds. Default: a clock that a step of the host's does not move. */
  readonly now?: () => number;
  readonly logger?: Pick<WebhookLogger, 'warn'>;
}

const DAY_MS = 86_400_000;

type Acquired = Extract<Claim, { readonly status: 'acquired' }>;

const NAMES: OptionNames<MemoryStoreOptions> = { maxEntries: true, retentionMs: true, now: true, logger: true };

/** @throws TypeError for options that make no sense. */
export function createMemoryRows(options: MemoryStoreOptions): MemoryRows {
  checkNames('memoryStore', options, NAMES);
  const { maxEntries = 100_000, retentionMs = 7 * DAY_MS, logger = consoleLogger } = options;
  positive('maxEntries', maxEntries);
  positive('retentionMs', retentionMs);
  const now = options.now ?? createSteadyClock();
  const rows = new Map<string, Row | Finished>();
  const finished = new FinishedList();
  // Events that may be forgotten one day, in the order in which that comes.
  const failed = new Map<string, Row>();
  const versions = new Versions(maxEntries);
  let nextToken = 1;
  // For how long a finished id must not be forgotten.
  let requiredMs = 0;
  let warned = false;

  function finish(key: string, { token, counts, bodyHash }: Row): void {
    const row: Finished = { key, token, counts, bodyHash, untilMs: now() + retentionMs, next: undefined };
    rows.set(key, row);
    finished.add(row);
  }

  // Tells whether that made room: an event that was revived meanwhile is another row now.
  function forget(row: Finished): boolean {
    finished.removeOldest();
    return rows.get(row.key) === row && rows.delete(row.key);
  }

  function forgetExpired(nowMs: number, limit: number): number {
    let forgotten = 0;
    for (let row = finished.oldest; row && forgotten < limit && row.untilMs <= nowMs; row = finished.oldest) {
      if (forget(row)) forgotten++;
    }
    return forgotten;
  }

  function makeRoom(nowMs: number): void {
    if (rows.size < maxEntries || forgetExpired(nowMs, 1) > 0) return;
    while (rows.size >= maxEntries) forgetOldest(nowMs);
    if (warned) return;
    warned = true;
    unheeded(() => logger.warn({ maxEntries }, 'memoryStore is full and forgets events before their time'));
  }

  function drop(key: string): void {
    rows.delete(key);
    failed.delete(key);
  }

  // Forgets what has not been touched for the longest: a finished event, or a failed one, of which nothing holds the bytes.
  function forgetOldest(nowMs: number): void {
    const done = finished.oldest;
    const doneAtMs = done ? done.untilMs - retentionMs : Number.POSITIVE_INFINITY;
    const mayForgetDone = doneAtMs + requiredMs <= nowMs;
    const [key, row] = failed.entries().next().value ?? [];
    if (key !== undefined && row && (!mayForgetDone || row.untilMs <= doneAtMs)) drop(key);
    else if (done && mayForgetDone) forget(done);
    else
      throw new Error(`memoryStore holds its limit of ${maxEntries} events. Raise maxEntries or use a durable store.`);
  }

  function find(key: string, nowMs: number): Row | Finished | undefined {
    const row = rows.get(key);
    return row && isExpired(row, nowMs) ? undefined : row;
  }

  // Finds a row as `find` does, and deletes it if it has expired, since a new one takes its place.
  function findOrForget(key: string, nowMs: number): Row | Finished | undefined {
    const row = rows.get(key);
    if (!row || !isExpired(row, nowMs)) return row;
    drop(key);
    return undefined;
  }

  function isExpired(row: Row | Finished, nowMs: number): boolean {
    if (!row.state) return row.untilMs <= nowMs;
    return isForgettable(row) && row.untilMs + retentionMs <= nowMs;
  }

  function owned(key: string, token: string): Row | undefined {
    const row = rows.get(key);
    return row?.state === 'active' && String(row.token) === token ? row : undefined;
  }

  function addRow(key: string, bodyHash: string, nowMs: number): Row {
    makeRoom(nowMs);
    const row: Row = { state: 'free', token: 0, counts: FIRST_CLAIM, bodyHash, untilMs: nowMs, details: undefined };
    rows.set(key, row);
    return row;
  }

  function acquire(row: Row, nowMs: number, { leaseMs }: ClaimOptions): Acquired {
    row.state = 'active';
    row.token = nextToken++;
    row.untilMs = nowMs + leaseMs;
    const { token, details } = row;
    const { attempt, claims, failures } = row.counts;
    const steps = details ? { ...details.steps } : NO_STEPS;
    return { status: 'acquired', token: String(token), attempt, claims, failures, steps };
  }

  function claimAgain(row: Row, nowMs: number, options: ClaimOptions): Acquired {
    const { attempt, claims, failures } = row.counts;
    row.counts = { attempt: attempt + 1, claims: claims + 1, failures };
    return acquire(row, nowMs, options);
  }

  function replaceBody(row: Row, nowMs: number, options: ClaimOptions): Claim {
    row.bodyHash = options.bodyHash;
    row.details = undefined;
    return { ...claimAgain(row, nowMs, options), bodyReplaced: true };
  }

  return {
    retentionMs,

    claim(key, options) {
      const { bodyHash } = options;
      const nowMs = now();
      const row = findOrForget(key, nowMs);
      if (!row) return acquire(addRow(key, bodyHash, nowMs), nowMs, options);
      const bodyReplaced = row.bodyHash !== bodyHash;
      if (bodyReplaced && !(row.state === 'free' && !row.details?.held)) return { status: 'conflict' };
      if (!row.state) return { status: 'done' };
      if (row.state === 'dead') return { status: 'dead', failures: row.counts.failures };
      if (row.untilMs > nowMs) return { status: 'busy', retryAfterMs: row.untilMs - nowMs };
      failed.delete(key);
      return bodyReplaced ? replaceBody(row, nowMs, options) : claimAgain(row, nowMs, options);
    },

    extend(key, token, leaseMs) {
      const row = owned(key, token);
      if (row) row.untilMs = now() + leaseMs;
      return row !== undefined;
    },

    checkpoint(key, token, step, value) {
      const row = owned(key, token);
      if (!row) return 'lost';
      row.details ??= { steps: Object.create(null), error: undefined, reason: undefined, held: false };
      if (step in row.details.steps) return 'exists';
      row.details.steps[step] = value;
      return 'saved';
    },

    complete(key, token) {
      const row = rows.get(key);
      if (!row || String(row.token) !== token) return false;
      if (row.state === 'active') finish(key, row);
      return !row.state || row.state === 'active';
    },

    fail(key, token, { retryInMs, dead, forget: forgets = false, error }: FailOptions) {
      const row = owned(key, token);
      if (!row) return false;
      if (forgets) return rows.delete(key);
      row.state = dead ? 'dead' : 'free';
      const { attempt, claims, failures } = row.counts;
      // A claim that is given back is no lost one.
      const givenBack = error === undefined;
      row.counts = { attempt, claims: givenBack ? claims - 1 : claims, failures: givenBack ? failures : failures + 1 };
      row.untilMs = now() + (retryInMs ?? 0);
      const steps = row.details?.steps ?? Object.create(null);
      row.details = { steps, error, reason: dead, held: retryInMs !== undefined };
      if (isForgettable(row)) failed.set(key, row);
      return true;
    },

    get(key) {
      const row = find(key, now());
      if (!row) return undefined;
      const { counts, bodyHash } = row;
      if (!row.state) return { state: 'done', ...counts, bodyHash, error: undefined, steps: {} };
      const { state, details } = row;
      const reason = details?.reason;
      return {
        state,
        ...counts,
        bodyHash,
        error: details?.error,
        ...(reason && { reason }),
        steps: { ...details?.steps },
      };
    },

    revive(key, { steps }) {
      const nowMs = now();
      const row = find(key, nowMs);
      if (!row || row.state === 'free' || row.state === 'active') return false;
      const { token, bodyHash } = row;
      const counts = { attempt: row.counts.attempt, claims: 0, failures: 0 };
      const kept = row.state === 'dead' && steps === 'keep' ? row.details?.steps : undefined;
      const details: Details = { steps: kept ?? Object.create(null), error: undefined, reason: undefined, held: true };
      failed.delete(key);
      rows.set(key, { state: 'free', token, counts, bodyHash, untilMs: nowMs, details });
      return true;
    },

    forget: drop,

    latest: (entity) => versions.latest(entity),
    advance: (entity, version) => versions.advance(entity, version),

    sweep(limit) {
      const nowMs = now();
      let swept = forgetExpired(nowMs, limit);
      for (const [key, row] of failed) {
        if (swept >= limit) break;
        if (!isExpired(row, nowMs)) continue;
        drop(key);
        swept++;
      }
      return swept;
    },

    requireRetention(ms) {
      requiredMs = Math.max(requiredMs, ms);
    },
  };
}

const NO_STEPS: Readonly<Record<string, string>> = /* @__PURE__ */ Object.freeze({});
