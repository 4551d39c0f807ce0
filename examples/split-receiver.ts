import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';

// A process that only receives: it has no handlers and starts no workers. Those run in split-worker.ts, from the same file.
const queue = sqliteQueue(process.env.WEBHOOKS_FILE ?? './webhooks.db');
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', queue });

const server = createServer(toNodeListener(webhooks));
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await webhooks.stop();
  await queue.close?.();
});
