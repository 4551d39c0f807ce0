import { randomBytes } from 'node:crypto';
import type { WebhookQueue } from '@pathfinder/webhooks';
import { Redis } from 'ioredis';
import pg from 'pg';
import PgBoss from 'pg-boss';
import { startPostgres, startRedis } from '../../../test/support/services/servers.ts';
import { importBuiltEngines } from '../../built.ts';

export const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** A Redis of the bench's own that appends to a file, and syncs it each second as most do, and what is made on it. */
export interface RedisPlace {
  readonly client: Redis;
  readonly connection: { readonly host: string; readonly port: number; readonly maxRetriesPerRequest: null };
  /** Our queue, under a name of its own. */
  queue(): Promise<WebhookQueue>;
  dispose(): Promise<void>;
}

export async function onRedis(): Promise<RedisPlace> {
  const { redis, bullmq } = await importBuiltEngines();
  const server = await startRedis(['--appendfsync', 'everysec']);
  const connection = { host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null } as const;
  const client = new Redis(connection);
  return {
    client,
    connection,
    async queue() {
      const name = newName();
      const store = redis.redisStore(client, { namespace: name, logger: SILENT });
      return bullmq.bullmqQueue({ connection, store, name, logger: SILENT });
    },
    async dispose() {
      client.disconnect();
      await server.dispose();
    },
  };
}

/** A PostgreSQL of the bench's own, and what is made on it. */
export interface PostgresPlace {
  readonly pool: pg.Pool;
  readonly boss: PgBoss;
  queue(): Promise<WebhookQueue>;
  dispose(): Promise<void>;
}

export async function onPostgres(): Promise<PostgresPlace> {
  const { pgBoss } = await importBuiltEngines();
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: server.url, max: 20, connectionTimeoutMillis: 5000 });
  const boss = new PgBoss({ connectionString: server.url, max: 10, schedule: false, supervise: false });
  await boss.start();
  return {
    pool,
    boss,
    queue: async () => pgBoss.pgBossQueue(boss, { pool, namespace: newName(), logger: SILENT }),
    async dispose() {
      await boss.stop({ graceful: false, wait: true });
      await pool.end();
      await server.dispose();
    },
  };
}

export function newName(): string {
  return `bench_${randomBytes(6).toString('hex')}`;
}
