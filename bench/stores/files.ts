import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QueuedDelivery } from '@pathfinder/webhooks';
import { sqliteSchema } from '@pathfinder/webhooks/sqlite';
import Database from 'libsql';
import { eventBody } from '../usual.ts';

/** Runs `work` with a folder for its databases, on the disk that holds temporary files, and removes it. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A database as the package sets it up, with its tables, for those who write their statements by hand. */
export function openByHand(path: string): Database.Database {
  const db = new Database(path);
  for (const pragma of ['busy_timeout = 5000', 'journal_mode = WAL', 'synchronous = FULL']) db.exec(`PRAGMA ${pragma}`);
  db.exec(sqliteSchema());
  return db;
}

/** Deliveries of 1 kB with ids that nobody else has. */
export function makeDeliveries(count: number, name: string): readonly QueuedDelivery[] {
  return Array.from({ length: count }, (_, i) => {
    const id = `evt_${name}_${String(i).padStart(8, '0')}`;
    const body = eventBody(id, 1000);
    return {
      key: id,
      eventId: id,
      type: 'user.created',
      created: 1_709_280_000,
      body,
      bodyHash: createHash('sha256').update(body).digest('hex'),
      headers: { 'content-type': 'application/json' },
      receivedAtMs: Date.now(),
    };
  });
}
