import { redisStore } from '@pathfinder/webhooks/redis';
import { describeWebhookStore, type OpenStoreOptions } from '@pathfinder/webhooks/testing';
import { contractRunner } from '../support/contract-runner.ts';
import { recordingLogger } from '../support/deliver.ts';
import { type NodeRedis, testRedis } from '../support/services/redis.ts';
import { describeWith } from '../support/services/services.ts';

const kinds = ['durable', 'shared'] as const;
const contract = { runner: contractRunner, kinds, shortMs: 100 };

describeWith('redis', 'redisStore', (url) => {
  const { ioredis, nodeRedis, keyPrefix } = testRedis(url);
  const more = { keyPrefix, logger: recordingLogger() };
  const openIoRedis = (options: OpenStoreOptions) => ({ store: redisStore(ioredis, { ...options, ...more }) });
  describeWebhookStore('redisStore over ioredis', openIoRedis, contract);

  let client: Promise<NodeRedis> | undefined;
  const openNodeRedis = async (options: OpenStoreOptions) => {
    client ??= nodeRedis();
    return { store: redisStore(await client, { ...options, ...more }) };
  };
  describeWebhookStore('redisStore over node-redis', openNodeRedis, contract);
});
