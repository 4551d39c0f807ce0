import { createRequire } from 'node:module';
import type { SqliteDatabase } from '@pathfinder/webhooks/sqlite';

const require = createRequire(import.meta.url);

/** The driver under test: `node:sqlite`, `better-sqlite3` or `libsql`. */
export const SQLITE_DRIVER = process.env.PATHFINDER_SQLITE_DRIVER ?? 'libsql';

type DatabaseClass = new (path: string) => SqliteDatabase;

/** Opens a database with the driver under test. */
export function openDatabase(path: string): SqliteDatabase {
  const module = require(SQLITE_DRIVER) as DatabaseClass & { readonly DatabaseSync?: DatabaseClass };
  return new (module.DatabaseSync ?? module)(path);
}
