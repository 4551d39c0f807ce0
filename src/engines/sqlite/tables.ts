import type { SqliteDatabase } from './driver.ts';
import { sqliteSchema } from './store-sql.ts';

/** Makes the tables where they are missing. A process that finds the last of them there needs no turn among the writers. */
export function createTables(db: SqliteDatabase, tablePrefix: string): void {
  if (db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(`${tablePrefix}clock`)) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(sqliteSchema(tablePrefix));
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}
