import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import { describeWebhookQueue, type OpenQueueOptions } from '@pathfinder/webhooks/testing';
import { afterAll, beforeAll } from 'vitest';
import { contractRunner } from '../support/contract-runner.ts';
import { recordingLogger } from '../support/deliver.ts';
import { newBoss, PG_BOSS, stopBoss } from '../support/services/pg-boss.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { describeWith } from '../support/services/services.ts';

const kinds = ['durable', 'shared'] as const;

describeWith('postgres', `pgBossQueue over ${PG_BOSS}`, (url) => {
  const { pool, schema } = testPostgres(url);
  const boss = newBoss({ connectionString: url, schema: `${schema}_boss` });
  let shared: ReturnType<typeof pool> | undefined;
  beforeAll(async () => {
    await boss.start();
  });
  afterAll(async () => {
    await stopBoss(boss);
    await shared?.query(`DROP SCHEMA ${schema}_boss CASCADE`);
  });
  const open = (options: OpenQueueOptions) => {
    shared ??= pool({ max: 20 });
    return pgBossQueue(boss, { ...options, pool: shared, pollMs: 20, logger: recordingLogger() });
  };
  describeWebhookQueue('pgBossQueue', open, { runner: contractRunner, kinds });
});
