import {
  type DeadLetter,
  type DeadLetterAddress,
  type DeadLetterQuery,
  type DeadLetters,
  eventKey,
} from '../../index.ts';
import type { TableNames } from '../postgres/schema.ts';
import { type Statement, statements } from '../postgres/session.ts';
import {
  isAddresses,
  letterKey,
  letterNumber,
  type ReadAddress,
  readAddress,
  readAddresses,
  readQuery,
  readReplay,
  replayPaced,
} from '../shared/dead-letters.ts';
import { type BodyRow, readBody } from '../shared/kept-body.ts';
import { FAILED, POISON, reasonOf } from '../shared/states.ts';
import { newJobId } from './boss.ts';
import { letterStatements } from './sql.ts';
import type { QueueTools } from './tools.ts';

export interface LettersOptions {
  readonly tables: TableNames;
  readonly preparedStatements: boolean;
  readonly namespace: string;
  /** Told that something can run. */
  wake(): void;
}

interface LetterRow extends BodyRow {
  readonly state: number;
  readonly failures: number;
  readonly until_ms: number;
  readonly error: string | null;
}

interface LockedRow {
  readonly id: number;
  readonly job_id: string | null;
}

/** The dead letters of a queue: rows of its store that are dead, with their bodies. */
export function createLetters(
  { session, sql: queueSql, boss, keyOf }: QueueTools,
  { tables, preparedStatements, namespace, wake }: LettersOptions,
): DeadLetters {
  const sql = statements(letterStatements(tables), preparedStatements);

  async function find(address: ReadAddress): Promise<LetterRow | undefined> {
    const [statement, value]: readonly [Statement, unknown] =
      'letter' in address
        ? [sql.byNumber, letterNumber(address.letter) ?? 0]
        : [sql.byKey, keyOf(eventKey(address.tenant, address.id))];
    return (await session.run<LetterRow>(statement, [namespace, value]))[0];
  }

  async function findMatching(query: DeadLetterQuery): Promise<readonly LetterRow[]> {
    const { reason, exact, prefix, tenant = null, sinceMs, limit } = readQuery(query);
    const state = reason === 'failed' ? FAILED : reason === 'poison' ? POISON : null;
    const values = [namespace, state, Math.max(0, sinceMs), exact ?? null, prefix ?? null, tenant, limit];
    return session.run<LetterRow>(reason === 'unhandled' ? sql.unhandled : sql.givenUp, values);
  }

  async function findNamed(addresses: readonly DeadLetterAddress[]): Promise<readonly number[]> {
    const ids = new Set<number>();
    for (const address of readAddresses(addresses)) {
      const row = await find(address);
      if (row) ids.add(row.id);
    }
    return [...ids];
  }

  async function findAll(which: readonly DeadLetterAddress[] | DeadLetterQuery): Promise<readonly number[]> {
    return isAddresses(which) ? findNamed(which) : (await findMatching(which)).map(({ id }) => id);
  }

  function toLetter(row: LetterRow): DeadLetter {
    const { eventId, key: _, ...body } = readBody(row);
    return {
      key: letterKey(row.id),
      id: eventId,
      ...body,
      reason: reasonOf(row.state),
      failedAtMs: Math.floor(row.until_ms),
      failures: row.failures,
      error: row.error ?? '',
    };
  }

  return {
    list: async (query = {}) => (await findMatching(query)).map(toLetter),

    async get(address) {
      const row = await find(readAddress(address));
      return row && toLetter(row);
    },

    async replay(which, options = {}) {
      const { keepSteps, ...settings } = readReplay(options);
      return replayPaced(await findAll(which), { keepSteps, ...settings }, async (ids) => {
        // Letters that somebody else has replayed or discarded meanwhile do not count.
        const replayed = await session.begin(async (tx) => {
          const dead = await session.run<LockedRow>(sql.lock, [ids, namespace], tx);
          const jobs = dead.map(({ id }) => ({ id: newJobId(), eventId: id, inMs: 0 }));
          for (const { id, eventId } of jobs) await session.run(queueSql.revive, [eventId, keepSteps, id], tx);
          await boss.send(jobs, tx);
          return dead.length;
        });
        wake();
        return replayed;
      });
    },

    async discard(addresses) {
      const ids = await findNamed(addresses);
      return session.begin(async (tx) => {
        const dead = await session.run<LockedRow>(sql.lock, [ids, namespace], tx);
        for (const { id } of dead) {
          await session.run(queueSql.dropBody, [id], tx);
          await session.run(queueSql.forget, [id], tx);
        }
        await boss.remove(
          dead.flatMap(({ job_id }) => job_id ?? []),
          tx,
        );
        return dead.length;
      });
    },
  };
}
