import type { WebhookStore } from '@pathfinder/webhooks';
import { sqliteStore } from '@pathfinder/webhooks/sqlite';
import { describeWebhookStore, type OpenStoreOptions } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { contractRunner } from '../support/contract-runner.ts';
import { databaseFolder, movedClock, openDatabase, SQLITE_DRIVER } from '../support/sqlite.ts';
import { agreesWithModel, type ClockedStore } from './model.ts';

const folder = databaseFolder();
const kinds = ['durable', 'shared', 'transactions'] as const;
const contractDb = openDatabase(folder.file('contract.db'));
const { now, advance } = movedClock();
describeWebhookStore(
  `sqliteStore over ${SQLITE_DRIVER}`,
  (o: OpenStoreOptions) => ({ store: sqliteStore(contractDb, { ...o, now }), advance }),
  { runner: contractRunner, kinds },
);
describeWebhookStore(
  'sqliteStore over a path, in real time',
  (o: OpenStoreOptions) => ({ store: sqliteStore(folder.file('path.db'), o) }),
  { runner: contractRunner, kinds },
);

function openInMemory(change: (store: WebhookStore) => WebhookStore = (store) => store): ClockedStore {
  let nowMs = 1_000_000;
  const wait = (ms: number) => {
    nowMs += ms;
  };
  return { store: change(sqliteStore(':memory:', { retentionMs: 1000, now: () => nowMs })), wait };
}

describe('sqliteStore', () => {
  it('agrees with the model of a store over any history', async () => {
    await agreesWithModel(() => openInMemory(), { durable: true });
  });

  it('the model detects a lease that any worker may extend', async () => {
    const broken = () => openInMemory((store) => ({ ...store, extend: async () => true }));
    await expect(agreesWithModel(broken, { durable: true })).rejects.toThrow('Property failed');
  });
});
