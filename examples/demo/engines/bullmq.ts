import { basename } from 'node:path';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Redis } from 'ioredis';
import type { DemoEngine } from './engine.ts';

const URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
// The demo kills its receiver, not its Redis: it may do without a file.
const logger = { warn() {}, error() {} };

/** Each demo has keys of its own. */
function connect(folder: string, leaseMs?: number) {
  const prefix = `${basename(folder)}:`;
  const client = new Redis(URL, { maxRetriesPerRequest: null });
  const store = redisStore(client, { keyPrefix: prefix, leaseMs, logger });
  const connection = { url: URL, maxRetriesPerRequest: null };
  return { prefix, client, queue: bullmqQueue({ connection, store, prefix: `${prefix}bull`, logger }) };
}

export const engine: DemoEngine = {
  where: 'in Redis, carried by BullMQ',
  reopened: 'connects',
  server: { name: 'Redis', url: URL, variable: 'REDIS_URL' },

  async prepare(folder) {
    const { prefix, client, queue } = connect(folder);
    await client.ping();
    return {
      async mails() {
        const written = await client.hgetall(`${prefix}mails`);
        return new Map(Object.entries(written).map(([id, count]) => [id, Number(count)]));
      },
      deadLetters: async () => (await queue.deadLetters.list()).length,
      async close() {
        await queue.close?.();
        for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
          if (keys.length > 0) await client.unlink(keys);
        }
        client.disconnect();
      },
    };
  },

  async open(folder) {
    const { prefix, client, queue } = connect(folder, 1000);
    return {
      queue,
      onEvents(webhooks, work) {
        webhooks.on('*', async function sendMail({ id }, { attempt }) {
          await work(id, attempt);
          // Redis has no transaction with the store: a run that is made again finds the mail under the name of its event.
          await client.hsetnx(`${prefix}mails`, id, 1);
        });
      },
    };
  },
};
