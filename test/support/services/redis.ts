import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll } from 'vitest';

/** Keys of its own for the tests of a file, and clients. */
export interface TestRedis {
  readonly keyPrefix: string;
  readonly ioredis: Redis;
  /** A client of node-redis, connected. */
  nodeRedis(): Promise<NodeRedis>;
}

/** A client of node-redis, as it is made here. */
export type NodeRedis = ReturnType<typeof newNodeRedis>;

/** Opens clients for the tests of this group; deletes their keys and closes them after it. */
export function testRedis(url: string): TestRedis {
  const keyPrefix = `webhook_test_${randomBytes(6).toString('hex')}:`;
  const ioredis = new Redis(url);
  const clients: NodeRedis[] = [];
  afterAll(async () => {
    for await (const keys of ioredis.scanStream({ match: `${keyPrefix}*`, count: 1000 })) {
      if (keys.length > 0) await ioredis.unlink(keys);
    }
    ioredis.disconnect();
    for (const client of clients) client.destroy();
  });
  return {
    keyPrefix,
    ioredis,
    async nodeRedis() {
      const client = newNodeRedis(url);
      clients.push(client);
      await client.connect();
      return client;
    },
  };
}

function newNodeRedis(url: string) {
  return createClient({ url });
}
