import { consoleLogger, type WebhookLogger } from '../logger.ts';
import type { Claim, ClaimOptions, FailOptions, StoredEvent, WebhookStore } from '../store.ts';

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Most ids remembered at once. Default 100,000. */
  readonly maxEntries?: number;
  /** How long a finished id is remembered. Default 7 days. */
  readonly retentionMs?: number;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: () => number;
  readonly logger?: Pick<WebhookLogger, 'warn'>;
}

const DAY_MS = 86_400_000;

// One shape for every state, so that a finished id costs no more than these few words and its hash.
interface Row {
  state: StoredEvent['state'];
  token: number;
  attempt: number;
  claims: number;
  failures: number;
  bodyHash: string;
  /** Active: the lease's end. Free: claimable from. Done: forgotten from. */
  untilMs: number;
  details: Details | undefined;
}

interface Details {
  steps: Record<string, string>;
  error: string | undefined;
  /** A queue holds the bytes of this free event. */
  held: boolean;
}

/**
 * Remembers events in this process: for tests and for receivers whose handlers may run again after a restart. Bounded:
 * when full it forgets the oldest finished id and warns once, and rejects (the reply is 503) when every id is
 * unfinished or `maxAgeSeconds` rests on it.
 */
export function memoryStore(options: MemoryStoreOptions = {}): WebhookStore {
  const { maxEntries = 100_000, retentionMs = 7 * DAY_MS, now = Date.now, logger = consoleLogger } = options;
  const unfinished = new Map<string, Row>();
  // In order of completion, which is the order of expiry.
  const finished = new Map<string, Row>();
  const versions = new Map<string, number>();
  let oldest = finished.entries();
  let nextToken = 1;
  let mayForgetEarly = true;
  let warned = false;

  // One iterator, kept: asking a Map for its first key again and again walks over every key deleted before.
  let candidate: [string, Row] | undefined;

  function oldestFinished(): [string, Row] | undefined {
    while (!candidate || finished.get(candidate[0]) !== candidate[1]) {
      let next = oldest.next();
      if (next.done) {
        candidate = undefined;
        if (!finished.size) return undefined;
        // An iterator that has run out stays so, whatever is added later.
        oldest = finished.entries();
        next = oldest.next();
        if (next.done) return undefined;
      }
      candidate = next.value;
    }
    return candidate;
  }

  function forgetExpired(nowMs: number, limit: number): number {
    let forgotten = 0;
    for (let row = oldestFinished(); row && forgotten < limit && row[1].untilMs <= nowMs; row = oldestFinished()) {
      finished.delete(row[0]);
      forgotten++;
    }
    return forgotten;
  }

  function makeRoom(nowMs: number): void {
    forgetExpired(nowMs, 2);
    if (unfinished.size + finished.size < maxEntries) return;
    const row = oldestFinished();
    if (!row || !mayForgetEarly) {
      throw new Error(`memoryStore holds its limit of ${maxEntries} events. Raise maxEntries or use a durable store.`);
    }
    finished.delete(row[0]);
    if (warned) return;
    warned = true;
    logger.warn({ maxEntries }, 'memoryStore is full and forgets finished events before their time');
  }

  function find(key: string, nowMs: number): Row | undefined {
    const row = unfinished.get(key) ?? finished.get(key);
    if (!row || !isExpired(row, nowMs)) return row;
    unfinished.delete(key);
    finished.delete(key);
    return undefined;
  }

  function isExpired(row: Row, nowMs: number): boolean {
    if (row.state === 'done') return row.untilMs <= nowMs;
    // Nothing holds the bytes of a failed event that the sender never delivered again.
    return row.state === 'free' && !row.details?.held && row.untilMs + retentionMs <= nowMs;
  }

  function owned(key: string, token: string): Row | undefined {
    const row = unfinished.get(key);
    return row?.state === 'active' && String(row.token) === token ? row : undefined;
  }

  function acquire(key: string, row: Row, nowMs: number, options: ClaimOptions, bodyReplaced: boolean): Claim {
    finished.delete(key);
    row.state = 'active';
    row.token = nextToken++;
    row.attempt++;
    row.claims++;
    row.untilMs = nowMs + options.leaseMs;
    row.bodyHash = options.bodyHash;
    const { token, attempt, claims, failures } = row;
    const steps = row.details ? { ...row.details.steps } : NO_STEPS;
    const claim = { status: 'acquired', token: String(token), attempt, claims, failures, steps } as const;
    return bodyReplaced ? { ...claim, bodyReplaced } : claim;
  }

  return {
    durable: false,
    shared: false,
    retentionMs,

    async claim(key, options) {
      const nowMs = now();
      const row = find(key, nowMs);
      if (!row) {
        makeRoom(nowMs);
        const fresh: Row = {
          state: 'free',
          token: 0,
          attempt: 0,
          claims: 0,
          failures: 0,
          bodyHash: options.bodyHash,
          untilMs: nowMs,
          details: undefined,
        };
        unfinished.set(key, fresh);
        return acquire(key, fresh, nowMs, options, false);
      }
      const sameBody = row.bodyHash === options.bodyHash;
      const replaceable = row.state === 'free' && !row.details?.held;
      if (!sameBody && !replaceable) return { status: 'conflict' };
      if (row.state === 'done') return { status: 'done' };
      if (row.state === 'dead') return { status: 'dead', failures: row.failures };
      if (row.untilMs > nowMs) return { status: 'busy', retryAfterMs: row.untilMs - nowMs };
      if (!sameBody) row.details = undefined;
      return acquire(key, row, nowMs, options, !sameBody);
    },

    async extend(key, token, leaseMs) {
      const row = owned(key, token);
      if (row) row.untilMs = now() + leaseMs;
      return row !== undefined;
    },

    async checkpoint(key, token, step, value) {
      const row = owned(key, token);
      if (!row) return 'lost';
      row.details ??= { steps: Object.create(null), error: undefined, held: false };
      if (step in row.details.steps) return 'exists';
      row.details.steps[step] = value;
      return 'saved';
    },

    async complete(key, token) {
      const row = owned(key, token);
      if (!row) return String(finished.get(key)?.token) === token;
      row.state = 'done';
      row.details = undefined;
      row.untilMs = now() + retentionMs;
      unfinished.delete(key);
      finished.set(key, row);
      return true;
    },

    async fail(key, token, { retryInMs, dead = false, error }: FailOptions) {
      const row = owned(key, token);
      if (!row) return false;
      row.state = dead ? 'dead' : 'free';
      // A claim that is given back is no lost one.
      if (error === undefined) row.claims--;
      else row.failures++;
      row.untilMs = now() + (retryInMs ?? 0);
      row.details = { steps: row.details?.steps ?? Object.create(null), error, held: retryInMs !== undefined };
      return true;
    },

    async get(key) {
      const row = find(key, now());
      if (!row) return undefined;
      const { state, attempt, claims, failures, bodyHash, details } = row;
      return { state, attempt, claims, failures, bodyHash, error: details?.error, steps: { ...details?.steps } };
    },

    async revive(key, { steps }) {
      const row = find(key, now());
      if (!row || (row.state !== 'dead' && row.state !== 'done')) return false;
      finished.delete(key);
      unfinished.set(key, row);
      row.state = 'free';
      row.untilMs = now();
      row.claims = 0;
      row.failures = 0;
      row.details = {
        steps: (steps === 'keep' && row.details?.steps) || Object.create(null),
        error: undefined,
        held: true,
      };
      return true;
    },

    async latest(entity) {
      return versions.get(entity);
    },

    async advance(entity, version) {
      if ((versions.get(entity) ?? version) > version) return false;
      // Set anew, so that the entities of late are the last to be forgotten.
      versions.delete(entity);
      versions.set(entity, version);
      if (versions.size > maxEntries) for (const first of versions.keys()) return versions.delete(first);
      return true;
    },

    async sweep(limit) {
      const nowMs = now();
      let swept = forgetExpired(nowMs, limit);
      for (const [key, row] of unfinished) {
        if (swept >= limit) break;
        if (isExpired(row, nowMs) && unfinished.delete(key)) swept++;
      }
      return swept;
    },

    async close() {},

    requireRetention() {
      mayForgetEarly = false;
    },
  };
}

const NO_STEPS: Readonly<Record<string, string>> = /* @__PURE__ */ Object.freeze({});
