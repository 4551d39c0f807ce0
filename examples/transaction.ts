import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { type SqliteDatabase, sqliteQueue } from '@pathfinder/webhooks/sqlite';
import Database from 'libsql';

// The application's own tables are in the file of the queue, so that both change in one commit.
const db = new Database(process.env.WEBHOOKS_FILE ?? './app.db');
db.exec('CREATE TABLE IF NOT EXISTS plan (name TEXT PRIMARY KEY, users INTEGER NOT NULL)');

const webhooks = new WebhookHandler({
  secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '',
  queue: sqliteQueue(db),
});

webhooks.on(
  'user.created',
  (_event, context) => {
    // Committed with the mark that this handler is done: whenever the process dies, the user is counted once.
    context.commit?.((tx: SqliteDatabase) => {
      tx.exec("INSERT INTO plan VALUES ('free', 1) ON CONFLICT (name) DO UPDATE SET users = users + 1");
    });
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
  db.close();
});
