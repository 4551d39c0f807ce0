import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import type { PostgresClient } from '@pathfinder/webhooks/postgres';
import pg from 'pg';
import { newBoss, stopBoss } from '../../support/services/pg-boss.ts';
import { type OwnServer, startPostgres } from '../../support/services/servers.ts';
import type { CrashEngine, CrashPlace, PrepareOptions } from '../engine.ts';

const SILENT = { warn() {}, error() {} };
const INSERT_EFFECT = 'INSERT INTO effect (event_id) VALUES ($1)';
const EFFECTS = 'SELECT event_id, count(*)::int AS made FROM effect GROUP BY event_id';
const COUNT_BODIES = 'SELECT count(*)::int AS left FROM pathfinder_webhook_body';
const COUNT_JOBS =
  "SELECT count(*)::int AS left FROM pgboss.job WHERE name LIKE 'pathfinder%' AND state NOT IN ('completed', 'failed', 'cancelled')";
const HOLD = 'LOCK TABLE pathfinder_webhook_event IN EXCLUSIVE MODE';

function newPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 5000 });
  pool.on('error', () => undefined);
  return pool;
}

/** Tries until the server is there again. */
async function asked<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 200) throw error;
      await delay(50);
    }
  }
}

/** A server, or a database on the one that all places of this process share: `initdb` takes seconds. */
async function placeOf(restarts: boolean): Promise<Pick<OwnServer, 'url' | 'dispose'> & Pick<CrashPlace, 'restart'>> {
  if (restarts) return startPostgres();
  shared ??= startPostgres();
  const server = await shared;
  const name = `crash_${randomBytes(6).toString('hex')}`;
  const pool = newPool(server.url, 1);
  await pool.query(`CREATE DATABASE ${name}`);
  await pool.end();
  return { url: server.url.replace(/postgres$/, name), dispose: async () => undefined };
}

let shared: Promise<OwnServer> | undefined;

async function prepare({ restarts }: PrepareOptions): Promise<CrashPlace> {
  const server = await placeOf(restarts);
  const pool = newPool(server.url, 2);
  const boss = newBoss({ connectionString: server.url, max: 1, schedule: false, supervise: false });
  await asked(() => pool.query('CREATE TABLE effect (event_id text NOT NULL)'));
  await boss.start();
  const queue = pgBossQueue(boss, { pool, logger: SILENT });
  await queue.stats();
  await stopBoss(boss);

  async function countLeft(what: string, sql: string): Promise<readonly string[]> {
    const { left } = (await asked(() => pool.query(sql))).rows[0] as { readonly left: number };
    return left === 0 ? [] : [`${left} ${what} are left.`];
  }

  return {
    settings: { url: server.url },
    async effects() {
      const { rows } = await asked(() => pool.query(EFFECTS));
      return new Map(rows.map(({ event_id, made }: { event_id: string; made: number }) => [event_id, made]));
    },
    async lock(ms) {
      const client = await asked(() => pool.connect());
      client.on('error', () => undefined);
      try {
        await client.query('BEGIN');
        await client.query(HOLD);
        await delay(ms);
        await client.query('ROLLBACK');
        client.release();
      } catch {
        // The server was restarted meanwhile.
        client.release(true);
      }
    },
    ...(server.restart && { restart: server.restart }),
    async problems() {
      return [...(await countLeft('bodies', COUNT_BODIES)), ...(await countLeft('jobs', COUNT_JOBS))];
    },
    async dispose() {
      await pool.end();
      await server.dispose();
    },
  };
}

/** Store and queue in one PostgreSQL, and the effects in it too. */
export const engine: CrashEngine = {
  name: 'pg-boss',
  transactional: true,
  prepare,
  close: async () => (await shared)?.dispose(),

  async open({ url }, { leaseMs }) {
    const pool = newPool(String(url), 20);
    const boss = newBoss({ connectionString: String(url), max: 2, schedule: false, supervise: false });
    boss.on('error', () => undefined);
    await asked(() => boss.start());
    const queue = pgBossQueue(boss, { pool, leaseMs, pollMs: 20, logger: SILENT });
    return {
      queue,

      register(webhooks, work, { outside }) {
        webhooks.on(
          'user.created',
          async ({ id }, { tx }) => {
            await work(id);
            if (outside) await pool.query(INSERT_EFFECT, [id]);
            else await (tx as PostgresClient).query(INSERT_EFFECT, [id]);
          },
          { name: 'effect', transaction: true },
        );
      },

      async close() {
        await queue.close?.();
        await stopBoss(boss);
        await pool.end();
      },
    };
  },
};
