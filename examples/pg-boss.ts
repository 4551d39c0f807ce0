import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import type { PostgresClient } from '@pathfinder/webhooks/postgres';
import pg from 'pg';
import PgBoss from 'pg-boss';

// The application's tables are in the database of the queue, so that an effect and the mark that it was made are one commit.
const connectionString = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
const pool = new pg.Pool({ connectionString, max: 20, connectionTimeoutMillis: 5_000 });
const boss = await new PgBoss({ connectionString, schema: process.env.PGBOSS_SCHEMA ?? 'pgboss' }).start();
const queue = pgBossQueue(boss, { pool });
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', queue });

const countUser = `INSERT INTO plan VALUES ('free', 1) ON CONFLICT (name) DO UPDATE SET users = plan.users + 1`;
webhooks.on(
  'user.created',
  async (_event, { tx }) => {
    // Whenever the process dies, or the server, each user is counted once.
    await (tx as PostgresClient).query(countUser);
  },
  { name: 'count', transaction: true },
);
await webhooks.start();

const server = createServer(toNodeListener(webhooks));
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.once('SIGTERM', async () => {
  server.close();
  await webhooks.stop({ timeoutMs: 20_000 });
  await boss.stop({ graceful: false });
  await pool.end();
});
