import { WebhookHandler } from '@pathfinder/webhooks';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';

// A process that only works: as many of them as you like, on the machine of split-receiver.ts. All register the same handlers.
const queue = sqliteQueue(process.env.WEBHOOKS_FILE ?? './webhooks.db');
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', queue });

webhooks.on('user.created', ({ data }) => console.log(`welcome, ${data.user.username}`), { name: 'welcome' });

await webhooks.start({ concurrency: 10 });
console.log('working');

process.once('SIGTERM', async () => {
  await webhooks.stop({ timeoutMs: 20_000 });
  await queue.close?.();
});
