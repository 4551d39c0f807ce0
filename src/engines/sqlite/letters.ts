import {
  type DeadLetter,
  type DeadLetterAddress,
  type DeadLetterQuery,
  type DeadLetters,
  eventKey,
} from '../../index.ts';
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
import type { SqliteClock } from './clock.ts';
import type { SqliteConnection } from './connection.ts';
import { prepareAll } from './driver.ts';
import { type EventRow, type EventRows, isDead } from './events.ts';
import { letterStatements } from './queue-sql.ts';

export interface SqliteLettersOptions {
  readonly tablePrefix: string;
  readonly namespace: string;
  readonly clock: SqliteClock;
  /** The name of an event's row. */
  keyOf(key: string): string;
  /** Told that something can run. */
  wake(): void;
}

type DeadRow = Pick<EventRow, 'state' | 'failures' | 'until_ms' | 'error'>;

/** The dead letters of a queue: rows of its store that are dead, with their bodies. */
export function createSqliteLetters(
  connection: SqliteConnection,
  events: EventRows,
  { tablePrefix, namespace, clock, keyOf, wake }: SqliteLettersOptions,
): DeadLetters {
  const sql = prepareAll(connection.db, letterStatements(tablePrefix));

  function find(address: ReadAddress): EventRow | undefined {
    const named =
      'letter' in address
        ? findNumber(letterNumber(address.letter))
        : events.find(keyOf(eventKey(address.tenant, address.id)));
    return named && isDead(named) && named.queue === namespace && !events.isExpired(named) ? named : undefined;
  }

  function findNumber(id: number | undefined): EventRow | undefined {
    return id === undefined ? undefined : ((sql.dead.get(id) ?? undefined) as EventRow | undefined);
  }

  function findMatching(query: DeadLetterQuery): readonly (DeadRow & BodyRow)[] {
    const { reason, exact, prefix, tenant = null, sinceMs, limit } = readQuery(query);
    const select = reason === 'unhandled' ? sql.unhandled : sql.givenUp;
    const state = reason === 'failed' ? FAILED : reason === 'poison' ? POISON : null;
    // The length is counted as SQLite does, in characters, which are no UTF-16 units.
    const types = [exact ?? '', [...(prefix ?? '')].length, prefix ?? '-'] as const;
    const times = [clock.fromWall(sinceMs), clock.now()] as const;
    return select.all(namespace, state, state, ...times, ...types, tenant, tenant, limit) as (DeadRow & BodyRow)[];
  }

  function findNamed(addresses: readonly DeadLetterAddress[]): readonly number[] {
    const rows = readAddresses(addresses).flatMap((address) => find(address) ?? []);
    return [...new Set(rows.map(({ id }) => id))];
  }

  function findAll(which: readonly DeadLetterAddress[] | DeadLetterQuery): readonly number[] {
    return isAddresses(which) ? findNamed(which) : findMatching(which).map(({ id }) => id);
  }

  /** In one transaction; what somebody else has replayed or discarded meanwhile does not count. */
  function change(ids: readonly number[], one: (row: EventRow) => void): Promise<number> {
    return connection.write(() => {
      const rows = ids.flatMap((id) => find({ letter: String(id) }) ?? []);
      for (const row of rows) one(row);
      return rows.length;
    });
  }

  function toLetter(row: DeadRow, bodyRow: BodyRow): DeadLetter {
    const { eventId, key: _, ...body } = readBody(bodyRow);
    return {
      key: letterKey(bodyRow.id),
      id: eventId,
      ...body,
      reason: reasonOf(row.state),
      failedAtMs: clock.toWall(row.until_ms),
      failures: row.failures,
      error: row.error ?? '',
    };
  }

  return {
    list: (query = {}) => connection.read(() => findMatching(query).map((row) => toLetter(row, row))),

    async get(address) {
      const read = readAddress(address);
      return connection.read(() => {
        const row = find(read);
        return row && toLetter(row, sql.letterBody.get(row.id) as BodyRow);
      });
    },

    async replay(which, options = {}) {
      const settings = readReplay(options);
      const dead = await connection.read(() => findAll(which));
      return replayPaced(dead, settings, async (ids) => {
        const replayed = await change(ids, (row) => events.revive(row, settings.keepSteps));
        wake();
        return replayed;
      });
    },

    async discard(addresses) {
      const dead = await connection.read(() => findNamed(addresses));
      return change(dead, (row) => events.forget(row.id));
    },
  };
}
