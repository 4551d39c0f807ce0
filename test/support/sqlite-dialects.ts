import type { SqliteDatabase, SqliteStatement } from '@pathfinder/webhooks/sqlite';

/** How drivers differ in what they give. */
export interface Dialect {
  row(row: Readonly<Record<string, unknown>> | undefined): unknown;
  result(result: Readonly<Record<string, unknown>>): unknown;
}

const asBytes = (value: unknown) => (value instanceof Uint8Array ? Uint8Array.from(value) : value);
const asBigInt = (value: unknown) => (typeof value === 'number' ? BigInt(value) : value);

/** As bun:sqlite: `null` for no row, BLOBs that are no Buffer. */
export const BUN: Dialect = {
  row: (row) => (row ? map(row, asBytes) : null),
  result: ({ changes, lastInsertRowid }) => ({ changes, lastInsertRowid }),
};

/** As node:sqlite: rows without a prototype, BLOBs that are no Buffer, numbers of rows that may be BigInt. */
export const NODE: Dialect = {
  row: (row) => row && Object.assign(Object.create(null), map(row, asBytes)),
  result: ({ changes, lastInsertRowid }) => map({ changes, lastInsertRowid }, asBigInt),
};

/** As better-sqlite3 and libsql after `defaultSafeIntegers()`: every integer is a BigInt. */
export const SAFE_INTEGERS: Dialect = { ...NODE, row: (row) => row && map(row, asBigInt) };

/** A database that answers in another driver's dialect. */
export function inDialect(db: SqliteDatabase, { row, result }: Dialect): SqliteDatabase {
  type Row = Parameters<typeof row>[0];
  return {
    exec: (sql) => void db.exec(sql),
    close: () => void db.close(),
    prepare(sql): SqliteStatement {
      const statement = db.prepare(sql);
      return {
        get: (...values) => row(statement.get(...values) as Row),
        all: (...values) => statement.all(...values).map((one) => row(one as Row)),
        run: (...values) => result(statement.run(...values) as Parameters<typeof result>[0]),
      };
    },
  };
}

function map(record: Readonly<Record<string, unknown>>, change: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
