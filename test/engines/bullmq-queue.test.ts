import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { redisStore } from '@pathfinder/webhooks/redis';
import { describeWebhookQueue, type OpenQueueOptions } from '@pathfinder/webhooks/testing';
import { describe, it } from 'vitest';
import { recordingLogger } from '../support/deliver.ts';
import { testRedis } from '../support/services/redis.ts';
import { describeWith } from '../support/services/services.ts';

const kinds = ['durable', 'shared'] as const;

describeWith('redis', 'bullmqQueue over BullMQ 6 and redisStore', (url) => {
  const { ioredis, keyPrefix } = testRedis(url);
  const logger = recordingLogger();
  const open = ({ namespace }: OpenQueueOptions) =>
    bullmqQueue({
      connection: { url, maxRetriesPerRequest: null },
      store: redisStore(ioredis, { namespace, keyPrefix, logger }),
      name: namespace,
      prefix: `${keyPrefix}bull`,
      pollMs: 20,
      logger,
    });
  describeWebhookQueue('bullmqQueue', open, { runner: { describe, it }, kinds });
});
