import { type DeadLetter, type DeadLetterQuery, type DeadLetters, deadLetterId, eventKey } from '../../index.ts';
import { isIds, lettersNamed, listLimit, replayPaced, typeFilter } from '../shared/dead-letters.ts';
import { type BodyRow, readBody } from './body.ts';
import type { SqliteClock } from './clock.ts';
import type { SqliteConnection } from './connection.ts';
import { prepareAll } from './driver.ts';
import type { EventRow, EventRows } from './events.ts';
import { letterStatements } from './queue-sql.ts';
import { DEAD } from './store-sql.ts';

export interface SqliteLettersOptions {
  readonly tablePrefix: string;
  readonly namespace: string;
  readonly clock: SqliteClock;
  /** The name of an event's row. */
  keyOf(key: string): string;
  /** Told that something can run. */
  wake(): void;
}

type LetterRow = BodyRow & Pick<EventRow, 'failures' | 'until_ms' | 'error'>;

/** The dead letters of a queue: rows of its store that are dead, with their bodies. */
export function createSqliteLetters(
  connection: SqliteConnection,
  events: EventRows,
  { tablePrefix, namespace, clock, keyOf, wake }: SqliteLettersOptions,
): DeadLetters {
  const sql = prepareAll(connection.db, letterStatements(tablePrefix));

  function findNamed(id: string): number | undefined {
    for (const { tenant, eventId } of lettersNamed(id)) {
      const row = events.find(keyOf(eventKey(tenant, eventId)));
      if (row?.state === DEAD && row.queue !== null) return row.id;
    }
    return undefined;
  }

  function filterOf({ type, tenant, sinceMs = 0, limit }: DeadLetterQuery) {
    const { exact, prefix } = typeFilter(type);
    // The length is counted as SQLite does, in characters, which are no UTF-16 units.
    const types = [exact ?? '', [...(prefix ?? '')].length, prefix ?? '-'] as const;
    return [namespace, clock.fromWall(sinceMs), ...types, tenant ?? null, tenant ?? null, listLimit(limit)] as const;
  }

  function findAll(which: readonly string[] | DeadLetterQuery): readonly number[] {
    if (isIds(which)) return which.flatMap((id) => findNamed(id) ?? []);
    return (sql.letterIds.all(...filterOf(which)) as { readonly id: number }[]).map(({ id }) => id);
  }

  function stillDead(id: number): EventRow | undefined {
    return (sql.dead.get(id) ?? undefined) as EventRow | undefined;
  }

  /** In one transaction; what somebody else has replayed or discarded meanwhile does not count. */
  function change(ids: () => readonly number[], one: (row: EventRow) => void): Promise<number> {
    return connection.write(() => {
      const rows = ids().flatMap((id) => stillDead(id) ?? []);
      for (const row of rows) one(row);
      return rows.length;
    });
  }

  function toLetter(row: LetterRow): DeadLetter {
    const body = readBody(row);
    return {
      id: deadLetterId(body.tenant, body.eventId),
      ...body,
      failedAtMs: clock.toWall(row.until_ms),
      failures: row.failures,
      error: row.error ?? '',
    };
  }

  return {
    list: (query = {}) => connection.read(() => (sql.letters.all(...filterOf(query)) as LetterRow[]).map(toLetter)),

    get: (id) =>
      connection.read(() => {
        const row = findNamed(id);
        return row === undefined ? undefined : toLetter(sql.letter.get(row) as LetterRow);
      }),

    async replay(which, options = {}) {
      const keepSteps = (options.steps ?? 'keep') === 'keep';
      const dead = await connection.read(() => findAll(which));
      return replayPaced(dead, options, async (ids) => {
        const replayed = await change(
          () => ids,
          (row) => events.revive(row, keepSteps),
        );
        wake();
        return replayed;
      });
    },

    discard: (ids) =>
      change(
        () => findAll(ids),
        (row) => events.forget(row.id),
      ),
  };
}
