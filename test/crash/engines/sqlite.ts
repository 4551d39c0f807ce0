import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type SqliteDatabase, sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { openDatabase } from '../../support/sqlite-driver.ts';
import type { CrashEngine, CrashPlace } from '../engine.ts';

const EFFECTS = 'SELECT event_id, count(*) AS made FROM effect GROUP BY event_id';
const INSERT_EFFECT = 'INSERT INTO effect (event_id) VALUES (?)';
const COUNT_BODIES = 'SELECT count(*) AS bodies FROM pathfinder_webhook_body';

async function prepare(): Promise<CrashPlace> {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-crash-'));
  const file = join(folder, 'crash.db');
  const db = openDatabase(file);
  db.exec('PRAGMA busy_timeout = 5000');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('CREATE TABLE effect (event_id TEXT NOT NULL)');
  return {
    settings: { file },
    async effects() {
      const rows = db.prepare(EFFECTS).all() as { readonly event_id: string; readonly made: number }[];
      return new Map(rows.map(({ event_id, made }) => [event_id, made]));
    },
    async lock(ms) {
      const other = openDatabase(file);
      other.exec('PRAGMA busy_timeout = 5000');
      try {
        other.exec('BEGIN IMMEDIATE');
        await delay(ms);
        other.exec('ROLLBACK');
      } finally {
        other.close();
      }
    },
    async problems() {
      const { bodies } = db.prepare(COUNT_BODIES).get() as { readonly bodies: number };
      const { integrity_check: integrity } = db.prepare('PRAGMA integrity_check').get() as Record<string, string>;
      return [
        ...(bodies > 0 ? [`${bodies} bodies are left.`] : []),
        ...(integrity === 'ok' ? [] : [`The file is broken: ${integrity}`]),
      ];
    },
    async dispose() {
      db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Store and queue in one SQLite file, and the effects in it too. */
export const engine: CrashEngine = {
  name: 'sqlite',
  transactional: true,
  prepare,

  async open({ file }, { leaseMs }) {
    const db = openDatabase(String(file));
    const queue = sqliteQueue(db, { leaseMs, pollMs: 20 });
    return {
      queue,

      register(webhooks, work, { outside }) {
        webhooks.on(
          'user.created',
          async ({ id }, { commit }) => {
            await work(id);
            const insert = (tx: SqliteDatabase) => void tx.prepare(INSERT_EFFECT).run(id);
            if (outside) insert(db);
            else commit?.(insert);
          },
          { name: 'effect', transaction: true },
        );
      },

      async fill(ms) {
        const { page_count: pages } = db.prepare('PRAGMA page_count').get() as { readonly page_count: number };
        db.exec(`PRAGMA max_page_count = ${pages}`);
        await delay(ms);
        db.exec('PRAGMA max_page_count = 1000000');
      },

      async close() {
        await queue.close?.();
        db.close();
      },
    };
  },
};
