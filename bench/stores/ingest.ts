import { join } from 'node:path';
import type { QueuedDelivery } from '@pathfinder/webhooks';
import type Database from 'libsql';
import { queueStatements } from '../../src/engines/sqlite/queue-sql.ts';
import { importBuiltSqlite } from '../built.ts';
import type { Gate } from '../harness.ts';
import { inFolder, makeDeliveries, openByHand } from './files.ts';
import { printPaces, race } from './wall.ts';

const EVENTS = 2000;
const AT_A_TIME = 100;
const ROUNDS = 11;

/** `enqueue` with a hundred senders, each of which waits for its commit, beside the same rows by hand: in groups, and one by one. */
export async function benchIngest(): Promise<Gate[]> {
  return inFolder(async (folder) => {
    const { sqliteQueue } = await importBuiltSqlite();
    const queue = sqliteQueue(join(folder, 'own.db'));
    const group = openByHand(join(folder, 'group.db'));
    const single = openByHand(join(folder, 'single.db'));
    const groupInsert = inserterOf(group);
    const singleInsert = inserterOf(single);
    let deliveries: readonly QueuedDelivery[] = [];
    const prepare = (name: string) => (round: number) => {
      deliveries = makeDeliveries(EVENTS, `${name}_${round}`);
    };
    const paces = await race(
      [
        {
          name: 'the same rows by hand, a commit for a hundred',
          prepare: prepare('group'),
          run: () => sendAll(deliveries, groupCommit(group, groupInsert)),
        },
        {
          name: 'sqliteQueue.enqueue',
          prepare: prepare('own'),
          run: () => sendAll(deliveries, (delivery) => queue.enqueue(delivery)),
        },
        {
          name: 'the same rows by hand, a commit for each',
          prepare: prepare('single'),
          run: () =>
            sendAll(deliveries, async (delivery) => {
              single.exec('BEGIN IMMEDIATE');
              singleInsert(delivery);
              single.exec('COMMIT');
            }),
        },
      ],
      EVENTS,
      ROUNDS,
    );
    printPaces(`Events of 1 kB put into the queue by ${AT_A_TIME} senders (synchronous = FULL)`, paces);
    await queue.close?.();
    group.close();
    single.close();
    const [, own, each] = paces;
    return [
      { what: 'ingest, against groups by hand', ratio: own?.ratio ?? 0, least: 0.8 },
      { what: 'ingest, against a commit for each', ratio: (own?.ratio ?? 0) / (each?.ratio ?? 1), least: 8 },
    ];
  });
}

/** A hundred senders, each of which sends the next one once its own is answered. */
async function sendAll(deliveries: readonly QueuedDelivery[], send: (delivery: QueuedDelivery) => Promise<unknown>) {
  const rest = deliveries.values();
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (const delivery of rest) await send(delivery);
    }),
  );
}

/** Everything that came in one turn of the event loop, in one commit. */
function groupCommit(db: Database.Database, insert: (delivery: QueuedDelivery) => void) {
  const waiting: { readonly delivery: QueuedDelivery; resolve(): void }[] = [];

  function commit(): void {
    const group = waiting.splice(0);
    db.exec('BEGIN IMMEDIATE');
    for (const { delivery } of group) insert(delivery);
    db.exec('COMMIT');
    for (const { resolve } of group) resolve();
  }

  return (delivery: QueuedDelivery) =>
    new Promise<void>((resolve) => {
      if (waiting.push({ delivery, resolve }) === 1) setImmediate(commit);
    });
}

function inserterOf(db: Database.Database) {
  const sql = queueStatements('pathfinder_webhook_');
  const event = db.prepare(sql.insertQueued);
  const bodies = db.prepare(sql.insertBody);
  return ({ key, eventId, type, created, receivedAtMs, headers, body, bodyHash }: QueuedDelivery) => {
    const nowMs = Date.now();
    const { lastInsertRowid } = event.run(`default\n${key}`, bodyHash, nowMs, 'default', nowMs);
    const texts = [null, JSON.stringify(headers)] as const;
    bodies.run(Number(lastInsertRowid), eventId, type, null, created, receivedAtMs, ...texts, body);
  };
}
