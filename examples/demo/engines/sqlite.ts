import { join } from 'node:path';
import { type SqliteDatabase, sqliteQueue } from '@pathfinder/webhooks/sqlite';
import Database from 'libsql';
import { DATABASE } from '../fixtures.ts';
import type { DemoEngine } from './engine.ts';

export const engine: DemoEngine = {
  where: 'in one SQLite file',
  reopened: 'opens the file',

  async prepare(folder) {
    const db = new Database(join(folder, DATABASE));
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('CREATE TABLE IF NOT EXISTS mail (event_id TEXT NOT NULL)');
    const queue = sqliteQueue(db);
    const select = db.prepare('SELECT event_id, count(*) AS written FROM mail GROUP BY event_id');
    return {
      async mails() {
        const rows = select.all() as { readonly event_id: string; readonly written: number }[];
        return new Map(rows.map(({ event_id, written }) => [event_id, written]));
      },
      deadLetters: async () => (await queue.deadLetters.list()).length,
      close: async () => void db.close(),
    };
  },

  async open(folder) {
    return {
      queue: sqliteQueue(join(folder, DATABASE), { leaseMs: 1000 }),
      onEvents(webhooks, work) {
        webhooks.on(
          '*',
          async function sendMail({ id }, { attempt, commit }) {
            await work(id, attempt);
            // Work outside of the database happens at least once, and the mail, which is in it, exactly once.
            commit?.((db: SqliteDatabase) => db.prepare('INSERT INTO mail (event_id) VALUES (?)').run(id));
          },
          { transaction: true },
        );
      },
    };
  },
};
