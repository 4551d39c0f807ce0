import { randomBytes } from 'node:crypto';
import type { AcquiredClaim, Claim, ClaimOptions, DeadReason, FailOptions, StoredEvent } from '../../index.ts';
import { ACTIVE, DEAD_STATES, DONE, FAILED, FREE, reasonOf, stateName } from '../shared/states.ts';
import type { SqliteConnection } from './connection.ts';
import { changesOf, prepareAll, type SqliteStatement, type SqliteValue } from './driver.ts';
import { storeStatements } from './store-sql.ts';

/** A row of the event table. */
export interface EventRow {
  readonly id: number;
  readonly key: string;
  readonly state: number;
  readonly token: string | null;
  readonly attempt: number;
  readonly claims: number;
  readonly failures: number;
  readonly body_hash: string;
  readonly until_ms: number;
  readonly held: number;
  readonly queue: string | null;
  readonly due_ms: number | null;
  readonly expires_ms: number | null;
  readonly error: string | null;
  readonly steps: string | null;
}

/** What a claim needs of a row that is due. */
export type DueEvent = Pick<EventRow, 'id' | 'attempt' | 'claims' | 'failures' | 'steps'>;

export interface EventRowsOptions {
  readonly tablePrefix: string;
  readonly retentionMs: number;
  readonly keepBodiesMs: number;
  readonly now: () => number;
}

/** The operations of a store as plain statements, which the caller wraps in a transaction. */
export interface EventRows {
  find(key: string): EventRow | undefined;
  isExpired(row: EventRow): boolean;
  claim(key: string, options: ClaimOptions): Claim;
  /** Claims rows of a queue that are due. */
  claimDue(rows: readonly DueEvent[], leaseMs: number): readonly AcquiredClaim[];
  extend(key: string, token: string, leaseMs: number): boolean;
  checkpoint(key: string, token: string, step: string, value: string): 'saved' | 'exists' | 'lost';
  complete(key: string, token: string): boolean;
  fail(key: string, token: string, options: FailOptions): boolean;
  get(key: string): StoredEvent | undefined;
  revive(row: EventRow, keepSteps: boolean): void;
  /** Forgets a row and its body. */
  forget(id: number): void;
  latest(entity: string): number | undefined;
  advance(entity: string, version: number): boolean;
  sweep(limit: number): number;
}

export function prepareEventRows({ db }: SqliteConnection, options: EventRowsOptions): EventRows {
  const { tablePrefix, retentionMs, keepBodiesMs, now } = options;
  const sql = prepareAll(db, storeStatements(tablePrefix));
  // Tokens are unique for ever, without randomness at each claim.
  const tokenPrefix = randomBytes(12).toString('base64url');
  let tokens = 0;

  const changes = (statement: SqliteStatement, ...values: SqliteValue[]) => changesOf(statement.run(...values));
  const newToken = () => `${tokenPrefix}.${(tokens++).toString(36)}`;
  const find = (key: string) => (sql.find.get(key) ?? undefined) as EventRow | undefined;
  const isExpired = ({ expires_ms }: EventRow) => expires_ms !== null && expires_ms <= now();

  function forget(id: number): void {
    sql.dropBody.run(id);
    sql.forget.run(id);
  }

  function bury(
    reason: DeadReason,
    values: readonly SqliteValue[],
    owner: readonly [key: string, token: string],
  ): boolean {
    const expiresMs = reason === 'unhandled' ? now() + retentionMs : null;
    return changes(sql.bury, DEAD_STATES[reason], ...values, expiresMs, ...owner) === 1;
  }

  function claimKnown(row: EventRow, { leaseMs, bodyHash }: ClaimOptions): Claim {
    const nowMs = now();
    const sameBody = row.body_hash === bodyHash;
    if (!sameBody && !isReplaceable(row)) return { status: 'conflict' };
    if (row.state === DONE) return { status: 'done' };
    if (isDead(row)) return { status: 'dead', failures: row.failures };
    if (row.until_ms > nowMs) return { status: 'busy', retryAfterMs: row.until_ms - nowMs };
    const token = newToken();
    const steps = sameBody ? row.steps : null;
    const untilMs = nowMs + leaseMs;
    sql.claim.run(token, bodyHash, untilMs, untilMs, untilMs + retentionMs, sameBody ? row.error : null, steps, row.id);
    const claim = acquired({ ...row, steps }, token);
    return sameBody ? claim : { ...claim, bodyReplaced: true };
  }

  return {
    find,
    isExpired,
    forget,

    claim(key, options) {
      // An event that is new is the usual case, and takes one statement.
      const token = newToken();
      const untilMs = now() + options.leaseMs;
      // Nobody ends the claim of a process that died; without a queue the row goes once the sender has long given up.
      const claimed = [key, token, options.bodyHash, untilMs, untilMs + retentionMs] as const;
      const insert = () => changes(sql.insertClaimed, ...claimed) === 1;
      const fresh = { status: 'acquired', token, attempt: 1, claims: 1, failures: 0, steps: {} } as const;
      if (insert()) return fresh;
      const row = find(key);
      if (row && !isExpired(row)) return claimKnown(row, options);
      if (row) forget(row.id);
      insert();
      return fresh;
    },

    claimDue(due, leaseMs) {
      const token = newToken();
      const untilMs = now() + leaseMs;
      sql.claimDue.run(token, untilMs, untilMs, JSON.stringify(due.map(({ id }) => id)));
      return due.map((row) => acquired(row, token));
    },

    extend(key, token, leaseMs) {
      const untilMs = now() + leaseMs;
      return changes(sql.extend, untilMs, untilMs, untilMs + retentionMs, key, token) === 1;
    },

    checkpoint(key, token, step, value) {
      const row = find(key);
      if (row?.state !== ACTIVE || row.token !== token) return 'lost';
      const steps = new Map(Object.entries(readSteps(row.steps)));
      if (steps.has(step)) return 'exists';
      steps.set(step, value);
      sql.setSteps.run(JSON.stringify(Object.fromEntries(steps)), row.id);
      return 'saved';
    },

    complete(key, token) {
      const nowMs = now();
      if (changes(sql.complete, nowMs + retentionMs, key, token) === 0) {
        const row = find(key);
        return row?.state === DONE && row.token === token;
      }
      if (keepBodiesMs > 0) sql.keepBodyOf.run(nowMs + keepBodiesMs, key);
      else sql.dropBodyOf.run(key);
      return true;
    },

    fail(key, token, { retryInMs, dead, forget: forgets = false, error }) {
      if (forgets) return changes(sql.forgetOwned, key, token) === 1;
      const nowMs = now();
      // A claim that is given back is no lost one.
      const counts = error === undefined ? ([1, 0] as const) : ([0, 1] as const);
      if (dead) return bury(dead, [...counts, nowMs, error ?? null], [key, token]);
      const untilMs = nowMs + (retryInMs ?? 0);
      const held = retryInMs === undefined ? 0 : 1;
      const expiresMs = held ? null : nowMs + retentionMs;
      return changes(sql.release, ...counts, untilMs, held, error ?? null, untilMs, expiresMs, key, token) === 1;
    },

    get(key) {
      const row = find(key);
      if (!row || isExpired(row)) return undefined;
      return {
        state: stateName(row.state),
        attempt: row.attempt,
        claims: row.claims,
        failures: row.failures,
        bodyHash: row.body_hash,
        error: row.error ?? undefined,
        ...(isDead(row) && { reason: reasonOf(row.state) }),
        steps: readSteps(row.steps),
      };
    },

    revive(row, keepSteps) {
      const nowMs = now();
      sql.revive.run(nowMs, keepSteps ? 1 : 0, nowMs, row.id);
    },

    latest(entity) {
      const row = sql.latest.get(entity) as { readonly version: number } | null | undefined;
      return row?.version;
    },

    advance: (entity, version) => changes(sql.advance, entity, version) === 1,

    sweep(limit) {
      const nowMs = now();
      sql.sweepKept.run(nowMs, limit);
      sql.sweepBodies.run(nowMs, limit);
      return changes(sql.sweep, nowMs, limit);
    },
  };
}

function acquired({ attempt, claims, failures, steps }: Omit<DueEvent, 'id'>, token: string): AcquiredClaim {
  return { status: 'acquired', token, attempt: attempt + 1, claims: claims + 1, failures, steps: readSteps(steps) };
}

export function isDead({ state }: Pick<EventRow, 'state'>): boolean {
  return state >= FAILED;
}

/** Nothing holds the bytes of this failed event, so that others may take their place. */
export function isReplaceable(row: EventRow): boolean {
  return row.state === FREE && row.held === 0 && row.queue === null;
}

function readSteps(steps: string | null): Readonly<Record<string, string>> {
  return steps === null ? {} : (JSON.parse(steps) as Record<string, string>);
}
