import { setTimeout as sleep } from 'node:timers/promises';
import { memoryStore, WebhookHandler, type WebhookStore } from '@pathfinder/webhooks';
import { type BullMQQueueOptions, bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { postgresStore } from '@pathfinder/webhooks/postgres';
import { redisStore } from '@pathfinder/webhooks/redis';
import { describeWebhookQueue, type OpenQueueOptions } from '@pathfinder/webhooks/testing';
import { Queue } from 'bullmq';
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { loadBullMQ } from '../../src/engines/bullmq/library.ts';
import { contractRunner } from '../support/contract-runner.ts';
import { bodyOf, deliveryOf, recordingLogger, SECRET } from '../support/deliver.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { testRedis } from '../support/services/redis.ts';
import { describeWith } from '../support/services/services.ts';

const contract = { runner: contractRunner, kinds: ['durable', 'shared'] as const };
const logger = recordingLogger();

describeWith('redis', 'bullmqQueue', (url) => {
  const { ioredis, keyPrefix } = testRedis(url);
  const connection = { url, maxRetriesPerRequest: null };
  const prefix = `${keyPrefix}bull`;
  const storeIn = (namespace: string) => redisStore(ioredis, { namespace, keyPrefix, logger });
  const queueOn = (store: WebhookStore, name: string) =>
    bullmqQueue({ connection, store, name, prefix, pollMs: 20, logger });

  const onRedis = ({ namespace }: OpenQueueOptions) => queueOn(storeIn(namespace), namespace);
  describeWebhookQueue('bullmqQueue over redisStore', onRedis, contract);

  // The package treats a copied store as one it does not know. This copy answers concurrent claims out of order.
  const onForeign = ({ namespace }: OpenQueueOptions) => {
    const store = storeIn(namespace);
    let claims = 0;
    const claim: WebhookStore['claim'] = async (...args) => {
      const answer = await store.claim(...args);
      if (claims++ % 2 === 0) await sleep(5);
      return answer;
    };
    return queueOn({ ...store, claim }, namespace);
  };
  describeWebhookQueue("bullmqQueue over somebody else's store", onForeign, contract);

  describeWith('postgres', 'bullmqQueue with its claims in Postgres', () => {
    const { pool } = testPostgres(inject('services').postgres ?? '');
    let shared: ReturnType<typeof pool> | undefined;
    const onPostgres = ({ namespace }: OpenQueueOptions) => {
      shared ??= pool();
      return queueOn(postgresStore(shared, { namespace, logger }), namespace);
    };
    describeWebhookQueue('bullmqQueue over postgresStore', onPostgres, contract);
  });

  it('reuses the name, connection and prefix of an existing queue', async () => {
    const existing = new Queue('orders', { connection, prefix });
    const queue = bullmqQueue({ queue: existing, store: storeIn('orders'), logger });
    onTestFinished(async () => {
      await queue.close?.();
      await existing.close();
    });
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
    expect((await webhooks.receive(deliveryOf(bodyOf()))).status).toBe(202);
    const [job] = await existing.getJobs(['wait']);
    expect([job?.name, job?.data.eventId, job?.id]).toEqual(['user.created', 'evt_1', expect.stringMatching(/^wh_/)]);
  });

  it('deletes the bytes of completed events and keeps those of dead ones in a failed job with the reason', async () => {
    const queue = queueOn(storeIn('kept'), 'kept');
    const engine = new Queue('kept', { connection, prefix });
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger, retry: { attempts: 1 } });
    onTestFinished(async () => {
      await webhooks.stop();
      await queue.close?.();
      await engine.close();
    });
    webhooks.on('user.created', ({ id }) => {
      if (id === 'evt_bad') throw new Error('cannot');
    });
    for (const id of ['evt_good', 'evt_bad']) await webhooks.receive(deliveryOf(bodyOf({ id })));
    expect(await webhooks.drain({ maxMs: 10_000 })).toBe(2);
    const jobs = await engine.getJobs();
    expect(jobs.map(({ data, failedReason }) => [data.eventId, failedReason])).toEqual([
      ['evt_bad', expect.stringContaining('cannot')],
    ]);
  });

  it('deletes unhandled events after the retention', async () => {
    const store = redisStore(ioredis, { namespace: 'swept', keyPrefix, retentionMs: 200, logger });
    const engine = new Queue('swept-unhandled', { connection, prefix });
    const drained = async () => {
      const queue = queueOn(store, 'swept');
      const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
      webhooks.on('user.deleted', () => undefined);
      await webhooks.receive(deliveryOf(bodyOf()));
      await webhooks.drain({ maxMs: 10_000 });
      const { unhandled } = await queue.stats();
      await queue.close?.();
      return [unhandled, await engine.getJobCountByTypes('wait')];
    };
    onTestFinished(() => engine.close());
    expect(await drained()).toEqual([1, 1]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const queue = queueOn(store, 'swept');
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
    webhooks.on('user.deleted', () => undefined);
    onTestFinished(() => queue.close?.());
    expect(await webhooks.drain({ maxMs: 10_000 })).toBe(0);
    expect([(await queue.stats()).unhandled, await engine.getJobCountByTypes('wait')]).toEqual([0, 0]);
  });

  it('reports a conflict when another body has just replaced a failed one', async () => {
    const store = storeIn('replaced');
    const claim = await store.claim('evt_1', { leaseMs: 1000, bodyHash: 'a'.repeat(64) });
    if (claim.status !== 'acquired') throw new Error(claim.status);
    await store.fail('evt_1', claim.token, { error: 'without a queue' });
    const queue = queueOn(store, 'replaced');
    onTestFinished(() => queue.close?.());
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
    const replies = await Promise.all([1, 2].map((created) => webhooks.receive(deliveryOf(bodyOf({ created })))));
    expect(replies.map(({ status }) => status).sort()).toEqual([202, 409]);
  });

  it('retries an event on time when the wall clock was set back an hour after its failure', async () => {
    const queue = queueOn(storeIn('clock'), 'clock');
    const retry = { attempts: 3, baseMs: 300, jitter: 'none' } as const;
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger, retry });
    onTestFinished(async () => {
      vi.restoreAllMocks();
      await webhooks.stop();
      await queue.close?.();
    });
    let runs = 0;
    webhooks.on('*', () => {
      if (++runs === 1) throw new Error('not yet');
    });
    const { now } = Date;
    const ahead = vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    await webhooks.start();
    await webhooks.receive(deliveryOf(bodyOf()));
    await expect.poll(async () => (await queue.stats()).delayed).toBe(1);
    ahead.mockRestore();
    await expect.poll(() => runs, { timeout: 5000 }).toBe(2);
    await expect.poll(async () => (await queue.store.get('evt_1'))?.state).toBe('done');
  });

  it('returns the jobs that it has taken when a drain ends', async () => {
    const queue = queueOn(storeIn('along'), 'along');
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
    onTestFinished(async () => {
      await webhooks.stop();
      await queue.close?.();
    });
    webhooks.on('*', () => undefined);
    for (let i = 0; i < 20; i++) await webhooks.receive(deliveryOf(bodyOf({ id: `evt_${i}` })));
    expect(await webhooks.drain({ maxMs: 10_000, max: 5 })).toBe(5);
    const { ready, active, delayed } = await queue.stats();
    expect({ ready, active, delayed }).toEqual({ ready: 15, active: 0, delayed: 0 });
  });

  it.each<[string, Partial<BullMQQueueOptions>, RegExp]>([
    ['no connection', { connection: undefined }, /One of `connection` and `queue`/],
    ['a connection and a queue', { queue: { name: 'q', opts: { connection } } }, /One of `connection` and `queue`/],
    ['a queue that is none', { connection: undefined, queue: 'q' as never }, /`queue` must be a Queue of BullMQ 6/],
    ['a store of one process', { store: memoryStore() }, /`store` must be one that other machines share/],
    ['no store', { store: undefined as never }, /`store`/],
    ['a name with a colon', { name: 'a:b' }, /`name`/],
    ['an option that it does not know', { concurency: 5 } as never, /no option `concurency`/],
  ])('rejects %s', (_, options, says) => {
    expect(() => bullmqQueue({ connection, store: storeIn('refused'), ...options })).toThrow(TypeError);
    expect(() => bullmqQueue({ connection, store: storeIn('refused'), ...options })).toThrow(says);
  });
});

describe('a missing or unsupported BullMQ', () => {
  it('is named together with the required version', () => {
    const missing = (name: string) => {
      throw new Error(`Cannot find module '${name}'`);
    };
    expect(() => loadBullMQ(missing)).toThrow(/needs BullMQ 6.*`npm install bullmq@6`\. It could not be loaded/);
    const old = (name: string) => (name === 'bullmq' ? {} : { version: '5.81.5' });
    expect(() => loadBullMQ(old)).toThrow(/`npm install bullmq@6`\. Version 5\.81\.5 is installed/);
  });
});
