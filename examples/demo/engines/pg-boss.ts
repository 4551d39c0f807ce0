import { basename } from 'node:path';
import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import type { PostgresClient } from '@pathfinder/webhooks/postgres';
import pg from 'pg';
import PgBoss from 'pg-boss';
import type { DemoEngine } from './engine.ts';

const URL = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres';

/** Each demo has a schema of its own, and pg-boss another one. */
function connect(folder: string) {
  const schema = basename(folder).toLowerCase().replace(/\W/g, '_');
  const options = `-c search_path=${schema}`;
  const pool = new pg.Pool({ connectionString: URL, options, max: 20, connectionTimeoutMillis: 5000 });
  const boss = new PgBoss({ connectionString: URL, schema: `${schema}_boss`, max: 2, schedule: false });
  return { schema, pool, boss };
}

export const engine: DemoEngine = {
  where: 'in PostgreSQL, carried by pg-boss',
  reopened: 'connects',
  server: { name: 'PostgreSQL', url: URL, variable: 'DATABASE_URL' },

  async prepare(folder) {
    const { schema, pool, boss } = connect(folder);
    await pool.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.mail (event_id text NOT NULL)`);
    await boss.start();
    const queue = pgBossQueue(boss, { pool });
    return {
      async mails() {
        const { rows } = await pool.query('SELECT event_id, count(*)::int AS written FROM mail GROUP BY event_id');
        return new Map(rows.map(({ event_id, written }) => [event_id, written]));
      },
      deadLetters: async () => (await queue.deadLetters.list()).length,
      async close() {
        await boss.stop({ graceful: false, wait: true });
        await pool.query(`DROP SCHEMA ${schema} CASCADE; DROP SCHEMA ${schema}_boss CASCADE`);
        await pool.end();
      },
    };
  },

  async open(folder) {
    const { pool, boss } = connect(folder);
    await boss.start();
    return {
      queue: pgBossQueue(boss, { pool, leaseMs: 1000 }),
      onEvents(webhooks, work) {
        webhooks.on(
          '*',
          async function sendMail({ id }, { attempt, tx }) {
            await work(id, attempt);
            // Committed with the mark that this handler is done: exactly once.
            await (tx as PostgresClient).query('INSERT INTO mail (event_id) VALUES ($1)', [id]);
          },
          { transaction: true },
        );
      },
    };
  },
};
