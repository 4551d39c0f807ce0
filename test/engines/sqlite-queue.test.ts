import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { describeWebhookQueue } from '@pathfinder/webhooks/testing';
import { contractRunner } from '../support/contract-runner.ts';
import { databaseFolder, openDatabase, SQLITE_DRIVER } from '../support/sqlite.ts';

const folder = databaseFolder();

describeWebhookQueue(
  'sqliteQueue, a file for each',
  ({ namespace }) => sqliteQueue(folder.file(`${namespace}.db`), { pollMs: 20 }),
  { runner: contractRunner, kinds: ['durable', 'shared'] },
);
const db = openDatabase(folder.file('one.db'));
describeWebhookQueue(
  `sqliteQueue, all on one database of ${SQLITE_DRIVER}`,
  (options) => sqliteQueue(db, { ...options, pollMs: 20 }),
  {
    runner: contractRunner,
    kinds: ['durable', 'shared'],
  },
);
