import { postgresStore } from '@pathfinder/webhooks/postgres';
import { describeWebhookStore, type OpenStoreOptions } from '@pathfinder/webhooks/testing';
import { contractRunner } from '../support/contract-runner.ts';
import { recordingLogger } from '../support/deliver.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { describeWith } from '../support/services/services.ts';

const kinds = ['durable', 'shared', 'transactions'] as const;

describeWith('postgres', 'postgresStore over pg', (url) => {
  const { pool } = testPostgres(url);
  let shared: ReturnType<typeof pool> | undefined;
  const open = (options: OpenStoreOptions) => {
    shared ??= pool();
    return { store: postgresStore(shared, { ...options, logger: recordingLogger() }) };
  };
  describeWebhookStore('postgresStore', open, { runner: contractRunner, kinds, shortMs: 100 });
});
