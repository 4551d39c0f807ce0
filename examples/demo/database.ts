import { join } from 'node:path';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import Database from 'libsql';
import { DATABASE } from './fixtures.ts';

/** The receiver's database, as anybody may look at it while the receiver runs, or does not. */
export interface DemoDatabase {
  /** How often the mail of each event was written. */
  mails(): ReadonlyMap<string, number>;
  deadLetters(): Promise<number>;
  close(): void;
}

export function openDatabase(folder: string): DemoDatabase {
  const db = new Database(join(folder, DATABASE));
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('CREATE TABLE IF NOT EXISTS mail (event_id TEXT NOT NULL)');
  const queue = sqliteQueue(db);
  const select = db.prepare('SELECT event_id, count(*) AS written FROM mail GROUP BY event_id');
  return {
    mails() {
      const rows = select.all() as { readonly event_id: string; readonly written: number }[];
      return new Map(rows.map(({ event_id, written }) => [event_id, written]));
    },
    deadLetters: async () => (await queue.deadLetters.list()).length,
    close: () => void db.close(),
  };
}
