import { join } from 'node:path';
import type { WebhookStore } from '@pathfinder/webhooks';
import { storeStatements } from '../../src/engines/sqlite/store-sql.ts';
import { importBuiltSqlite } from '../built.ts';
import type { Gate } from '../harness.ts';
import { inFolder, openByHand } from './files.ts';
import { printPaces, type Racer, race } from './wall.ts';

const PAIRS = 1000;
const ROUNDS = 11;
const LEASE_MS = 30_000;
const RETENTION_MS = 7 * 86_400_000;
const BODY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** `claim` and `complete` of fresh ids, beside the same statements in transactions by hand: one id after the other, and a hundred at a time. */
export async function benchClaims(): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const atATime of [1, 100]) {
    const ratio = await inFolder((folder) => claimAndComplete(folder, atATime));
    gates.push({ what: `claim and complete, ${atATime} at a time, against the statements`, ratio, least: 0.8 });
  }
  return gates;
}

async function claimAndComplete(folder: string, atATime: number): Promise<number> {
  const { sqliteStore } = await importBuiltSqlite();
  const store = sqliteStore(join(folder, 'own.db'));
  const byHand = handRacer(join(folder, 'hand.db'), atATime);
  const paces = await race([byHand, storeRacer('sqliteStore', store, atATime)], PAIRS, ROUNDS);
  printPaces(`Pairs of claim and complete, ${atATime} at a time`, paces);
  await store.close();
  byHand.close();
  return paces[1]?.ratio ?? 0;
}

/** Claims and completes `PAIRS` fresh ids a round. */
export function storeRacer(name: string, store: WebhookStore, atATime: number, pairs = PAIRS): Racer {
  return {
    name,
    async run(round) {
      for (let i = 0; i < pairs; i += atATime) {
        await Promise.all(Array.from({ length: atATime }, (_, k) => claimOne(store, keyOf(round, i + k))));
      }
    },
  };
}

async function claimOne(store: WebhookStore, key: string): Promise<void> {
  const claim = await store.claim(key, { leaseMs: LEASE_MS, bodyHash: BODY_HASH });
  if (claim.status !== 'acquired' || !(await store.complete(key, claim.token)))
    throw new Error(`${key} was not completed.`);
}

function handRacer(path: string, atATime: number): Racer & { close(): void } {
  const db = openByHand(path);
  const sql = storeStatements('pathfinder_webhook_');
  const insert = db.prepare(sql.insertClaimed);
  const complete = db.prepare(sql.complete);
  const dropBody = db.prepare(sql.dropBodyOf);
  return {
    name: 'the same statements by hand',
    close: () => void db.close(),
    run(round) {
      for (let i = 0; i < PAIRS; i += atATime) {
        const keys = Array.from({ length: atATime }, (_, k) => keyOf(round, i + k));
        db.exec('BEGIN IMMEDIATE');
        for (const key of keys) {
          const untilMs = Date.now() + LEASE_MS;
          insert.run(key, `token_${key}`, BODY_HASH, untilMs, untilMs + RETENTION_MS);
        }
        db.exec('COMMIT');
        db.exec('BEGIN IMMEDIATE');
        for (const key of keys) {
          if (complete.run(Date.now() + RETENTION_MS, key, `token_${key}`).changes === 1) dropBody.run(key);
        }
        db.exec('COMMIT');
      }
    },
  };
}

function keyOf(round: number, i: number): string {
  return `evt_${String(round).padStart(4, '0')}_${String(i).padStart(20, '0')}`;
}
