import { setTimeout as delay } from 'node:timers/promises';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { startRedis } from '../../support/services/servers.ts';
import type { CrashEngine, CrashPlace } from '../engine.ts';

const SILENT = { warn() {}, error() {} };
const NAME = 'pathfinder-webhooks';

function connect(port: number): Redis {
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  client.on('error', () => undefined);
  return client;
}

async function prepare(): Promise<CrashPlace> {
  const server = await startRedis();
  const client = connect(server.port);
  return {
    settings: { port: server.port },
    async effects() {
      const made = await client.hgetall('effects');
      return new Map(Object.entries(made).map(([id, count]) => [id, Number(count)]));
    },
    async lock(ms) {
      if (Math.random() < 0.5) {
        await client.client('PAUSE', Math.ceil(ms), 'WRITE');
        await delay(ms);
        return;
      }
      // From here, since a child that is killed meanwhile would leave its Redis full.
      await client.config('SET', 'maxmemory', '1mb');
      await delay(ms);
      await client.config('SET', 'maxmemory', '0');
    },
    restart: () => server.restart(),
    async problems() {
      const connection = connect(server.port);
      const queue = new Queue(NAME, { connection });
      queue.on('error', () => undefined);
      const { wait = 0, active = 0, delayed = 0, failed = 0 } = await queue.getJobCounts();
      await queue.close();
      connection.disconnect();
      const left = wait + active + delayed + failed;
      return left === 0 ? [] : [`${left} jobs are left.`];
    },
    async dispose() {
      client.disconnect();
      await server.dispose();
    },
  };
}

/** Queue and store on one Redis, and the effects in it too, but in no transaction with them. */
export const engine: CrashEngine = {
  name: 'bullmq',
  transactional: false,
  prepare,

  async open({ port }, { leaseMs }) {
    const client = connect(Number(port));
    const queue = bullmqQueue({
      connection: { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null, retryStrategy: () => 50 },
      store: redisStore(client, { leaseMs, logger: SILENT }),
      pollMs: 20,
      logger: SILENT,
    });
    return {
      queue,

      register(webhooks, work) {
        webhooks.on(
          'user.created',
          async ({ id }) => {
            await work(id);
            await client.hincrby('effects', id, 1);
          },
          { name: 'effect' },
        );
      },

      async close() {
        await queue.close?.();
        client.disconnect();
      },
    };
  },
};
