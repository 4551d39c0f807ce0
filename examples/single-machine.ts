import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';

// A process that receives and works. What it has answered 202 is in the file, and runs after a crash too.
const queue = sqliteQueue(process.env.WEBHOOKS_FILE ?? './webhooks.db');
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', queue });

webhooks.on(
  'user.created',
  async ({ data }, context) => {
    // The step is remembered: an attempt after this one does not write the mail again.
    await context.once('mail', () => console.log(`welcome, ${data.user.username}`));
  },
  // The name is how the store remembers that this handler is done: it stays when the code around it changes.
  { name: 'welcome' },
);

await webhooks.start();

const server = createServer(toNodeListener(webhooks));
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

// A deploy: what runs may end, and the rest is given back for the next process.
process.once('SIGTERM', async () => {
  server.close();
  await webhooks.stop({ timeoutMs: 20_000 });
  await queue.close?.();
});
