import { randomBytes } from 'node:crypto';
import type { AcquiredClaim, Claim, ClaimOptions, FailOptions, StoredEvent } from '../../index.ts';
import type { Known } from '../shared/holds.ts';
import { DEAD_STATES, DONE, FREE, reasonOf, stateName } from '../shared/states.ts';
import type { TableNames } from './schema.ts';
import { type PostgresSession, statements } from './session.ts';
import { storeStatements } from './sql.ts';

// A claim is tried anew when somebody else has changed its row between two statements; not for ever.
const MOST_TURNS = 10;
const CHANGES_TOO_FAST = 'The row of this event changes faster than it can be read.';

/** What a claim needs of its row, after it was changed. */
export interface ClaimedRow {
  readonly attempt: number;
  readonly claims: number;
  readonly failures: number;
  readonly steps: Readonly<Record<string, string>> | null;
}

interface KnownRow {
  readonly state: number;
  readonly failures: number;
  readonly same_body: boolean;
  readonly replaceable: boolean;
  readonly expired: boolean;
  readonly wait_ms: number;
}

interface HeldRow {
  readonly state: number;
  readonly body_hash: string;
  readonly failures: number;
  readonly held: boolean;
  readonly expired: boolean;
}

interface StoredRow extends ClaimedRow {
  readonly state: number;
  readonly body_hash: string;
  readonly error: string | null;
}

export interface EventRowsOptions {
  readonly tables: TableNames;
  readonly retentionMs: number;
  readonly keepBodiesMs: number;
  readonly preparedStatements: boolean;
}

/** The operations of a store on the rows of its tables; keys are those of the rows. */
export interface EventRows {
  newToken(): string;
  claim(key: string, options: ClaimOptions): Promise<Claim>;
  hold(key: string, bodyHash: string): Promise<Known | undefined>;
  extend(key: string, token: string, leaseMs: number): Promise<boolean>;
  checkpoint(
    key: string,
    token: string,
    step: string,
    value: string,
    tx?: unknown,
  ): Promise<'saved' | 'exists' | 'lost'>;
  complete(key: string, token: string, tx?: unknown): Promise<boolean>;
  fail(key: string, token: string, options: FailOptions, tx?: unknown): Promise<boolean>;
  get(key: string): Promise<StoredEvent | undefined>;
  revive(key: string, keepSteps: boolean, tx?: unknown): Promise<boolean>;
  latest(entity: string): Promise<number | undefined>;
  advance(entity: string, version: number, tx?: unknown): Promise<boolean>;
  sweep(limit: number): Promise<number>;
}

export function createEventRows(session: PostgresSession, options: EventRowsOptions): EventRows {
  const { retentionMs, keepBodiesMs } = options;
  const sql = statements(storeStatements(options.tables), options.preparedStatements);
  // Tokens are unique for ever, without randomness at each claim.
  const tokenPrefix = randomBytes(12).toString('base64url');
  let tokens = 0;
  const newToken = () => `${tokenPrefix}.${(tokens++).toString(36)}`;

  async function changes(statement: keyof typeof sql, values: readonly unknown[], tx?: unknown): Promise<boolean> {
    return (await session.run(sql[statement], values, tx)).length > 0;
  }

  /** One try. Undefined: the row has changed since it was looked at. */
  async function tryClaim(key: string, { leaseMs, bodyHash }: ClaimOptions): Promise<Claim | undefined> {
    const token = newToken();
    const values = [key, token, bodyHash, leaseMs, leaseMs + retentionMs];
    const [claimed] = await session.run<ClaimedRow>(sql.claim, values);
    if (claimed) return acquired(claimed, token);
    const [known] = await session.run<KnownRow>(sql.known, [key, bodyHash]);
    if (!known) return undefined;
    if (known.expired) {
      await session.run(sql.forgetExpired, [key]);
      return undefined;
    }
    const answer = refusalOf(known);
    if (answer || known.same_body) return answer;
    const [replaced] = await session.run<ClaimedRow>(sql.claimReplacing, values);
    return replaced && { ...acquired(replaced, token), bodyReplaced: true };
  }

  return {
    newToken,

    async claim(key, claimOptions) {
      for (let turn = 0; turn < MOST_TURNS; turn++) {
        const claim = await tryClaim(key, claimOptions);
        if (claim) return claim;
      }
      throw new Error(CHANGES_TOO_FAST);
    },

    async hold(key, bodyHash) {
      for (let turn = 0; turn < MOST_TURNS; turn++) {
        if (await changes('hold', [key, bodyHash, retentionMs])) return undefined;
        const [row] = await session.run<HeldRow>(sql.held, [key]);
        if (row?.expired) await session.run(sql.forgetExpired, [key]);
        else if (row) return knownOf(row, () => session.run(sql.holdFailed, [key, bodyHash]));
      }
      throw new Error(CHANGES_TOO_FAST);
    },

    extend: (key, token, leaseMs) => changes('extend', [key, token, leaseMs, leaseMs + retentionMs]),

    async checkpoint(key, token, step, value, tx) {
      if (await changes('checkpoint', [key, token, step, value], tx)) return 'saved';
      return (await changes('isOwned', [key, token], tx)) ? 'exists' : 'lost';
    },

    async complete(key, token, tx) {
      if (await changes('complete', [key, token, retentionMs, keepBodiesMs], tx)) return true;
      return changes('isDone', [key, token], tx);
    },

    fail(key, token, { retryInMs, dead, forget: forgets = false, error }, tx) {
      if (forgets) return changes('forget', [key, token], tx);
      // A claim that is given back is no lost one.
      const counts = error === undefined ? [1, 0] : [0, 1];
      const text = error ?? null;
      if (dead) return changes('bury', [key, token, ...counts, DEAD_STATES[dead], text, retentionMs], tx);
      const waits = [retryInMs ?? 0, retryInMs !== undefined];
      return changes('release', [key, token, ...counts, ...waits, text, retentionMs], tx);
    },

    async get(key) {
      const [row] = await session.run<StoredRow>(sql.get, [key]);
      if (!row) return undefined;
      const { state, attempt, claims, failures, body_hash: bodyHash, error, steps } = row;
      return {
        state: stateName(state),
        attempt,
        claims,
        failures,
        bodyHash,
        error: error ?? undefined,
        ...(state > DONE && { reason: reasonOf(state) }),
        steps: steps ?? {},
      };
    },

    revive: (key, keepSteps, tx) => changes('revive', [key, keepSteps], tx),

    async latest(entity) {
      const [row] = await session.run<{ readonly version: number }>(sql.latest, [entity]);
      return row?.version;
    },

    advance: (entity, version, tx) => changes('advance', [entity, version], tx),

    async sweep(limit) {
      await session.run(sql.sweepKept, [limit]);
      const [row] = await session.run<{ readonly swept: number }>(sql.sweep, [limit]);
      return row?.swept ?? 0;
    },
  };
}

async function knownOf(row: HeldRow, holdFailed: () => Promise<unknown>): Promise<Known> {
  const { state, body_hash: bodyHash, failures, held } = row;
  if (state === FREE && !held) await holdFailed();
  return { state: stateName(state), bodyHash, failures, held };
}

export function acquired({ attempt, claims, failures, steps }: ClaimedRow, token: string): AcquiredClaim {
  return { status: 'acquired', token, attempt, claims, failures, steps: steps ?? {} };
}

/** Why a row that is known cannot be claimed now. */
function refusalOf({ state, failures, same_body, replaceable, wait_ms }: KnownRow): Claim | undefined {
  if (!same_body && !replaceable) return { status: 'conflict' };
  if (state === DONE) return { status: 'done' };
  if (state > DONE) return { status: 'dead', failures };
  return wait_ms > 0 ? { status: 'busy', retryAfterMs: wait_ms } : undefined;
}
