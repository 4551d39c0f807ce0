import { WebhookHandler } from '@pathfinder/webhooks';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Redis } from 'ioredis';

// A machine that only works: start as many as there is to do, beside any number that receive, as examples/bullmq.ts does. All
// register the same handlers. Events of one user run one at a time, whichever machines have them.
const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const redis = new Redis(url);
const prefix = process.env.REDIS_PREFIX ?? 'webhooks:';
const queue = bullmqQueue({
  connection: { url, maxRetriesPerRequest: null },
  store: redisStore(redis, { keyPrefix: prefix }),
  prefix: `${prefix}bull`,
});
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', queue });

webhooks.on('user.created', ({ data }) => console.log(`welcome, ${data.user.username}`), {
  name: 'welcome',
  serialBy: ({ data }) => data.user.id,
});

await webhooks.start({ concurrency: 10 });
console.log('working');

process.once('SIGTERM', async () => {
  await webhooks.stop({ timeoutMs: 20_000 });
  await queue.close?.();
  redis.disconnect();
});
