import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Redis } from 'ioredis';

// Receivers and workers on any number of machines, with Redis between them. Redis needs `appendonly yes` and `noeviction`.
const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const redis = new Redis(url);
const prefix = process.env.REDIS_PREFIX ?? 'webhooks:';
const queue = bullmqQueue({
  connection: { url, maxRetriesPerRequest: null },
  store: redisStore(redis, { keyPrefix: prefix }),
  prefix: `${prefix}bull`,
});
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', queue });

webhooks.on('user.created', ({ data }) => console.log(`welcome, ${data.user.username}`), { name: 'welcome' });

await webhooks.start({ concurrency: 10 });

const server = createServer(toNodeListener(webhooks));
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await webhooks.stop({ timeoutMs: 20_000 });
  await queue.close?.();
  redis.disconnect();
});
