import { join } from 'node:path';
import type Database from 'libsql';
import { importBuilt, importBuiltSqlite } from '../built.ts';
import type { Gate } from '../harness.ts';
import { SECRET } from '../usual.ts';
import { inFolder, makeDeliveries, openByHand } from './files.ts';
import { printPaces, race } from './wall.ts';

const EVENTS = 2000;
const ROUNDS = 11;
const LEASE_MS = 30_000;
const RETENTION_MS = 7 * 86_400_000;

/** Workers with an empty handler, beside a loop by hand that promises the same: claimed with a token before it runs, done with that token, both on disk. */
export async function benchDrain(): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const [concurrency, least] of [
    [10, 0.6],
    [50, 0.8],
  ] as const) {
    const ratio = await inFolder((folder) => drain(folder, concurrency));
    gates.push({ what: `drain at concurrency ${concurrency}, against a loop by hand`, ratio, least });
  }
  return gates;
}

async function drain(folder: string, concurrency: number): Promise<number> {
  const { WebhookHandler } = await importBuilt();
  const { sqliteQueue } = await importBuiltSqlite();
  const queues = { hand: sqliteQueue(join(folder, 'hand.db')), own: sqliteQueue(join(folder, 'own.db')) };
  const byHand = openByHand(join(folder, 'hand.db'));
  let ran = 0;
  let onLast = () => {};
  const webhooks = new WebhookHandler({ secret: SECRET, queue: queues.own });
  webhooks.on('user.created', () => {
    if (++ran === EVENTS) onLast();
  });
  const fill = (queue: keyof typeof queues) => async (round: number) => {
    const deliveries = makeDeliveries(EVENTS, `${concurrency}_${round}`);
    await Promise.all(deliveries.map((delivery) => queues[queue].enqueue(delivery)));
  };
  const paces = await race(
    [
      { name: 'a loop by hand', prepare: fill('hand'), run: () => drainByHand(byHand, concurrency) },
      {
        name: 'sqliteQueue and WebhookHandler.start',
        prepare: fill('own'),
        async run() {
          ran = 0;
          const last = new Promise<void>((resolve) => {
            onLast = resolve;
          });
          await webhooks.start({ concurrency });
          await last;
          await webhooks.stop();
        },
      },
    ],
    EVENTS,
    ROUNDS,
  );
  printPaces(`Events of 1 kB worked off at concurrency ${concurrency}`, paces);
  for (const queue of Object.values(queues)) {
    const { ready, active } = await queue.stats();
    if (ready + active > 0) throw new Error(`${ready + active} events were left.`);
  }
  await queues.own.close?.();
  await queues.hand.close?.();
  byHand.close();
  return paces[1]?.ratio ?? 0;
}

/** The loop that somebody writes who knows what can go wrong: two commits for each batch. */
async function drainByHand(db: Database.Database, concurrency: number): Promise<void> {
  const due =
    db.prepare(`SELECT e.id, e.key, b.body FROM pathfinder_webhook_event e JOIN pathfinder_webhook_body b USING (id)
    WHERE e.queue = 'default' AND e.due_ms <= ? ORDER BY e.due_ms, e.id LIMIT ?`);
  const claim = db.prepare(`UPDATE pathfinder_webhook_event
    SET state = 1, token = ?, attempt = attempt + 1, claims = claims + 1, until_ms = ?, due_ms = ? WHERE id = ?`);
  const complete =
    db.prepare(`UPDATE pathfinder_webhook_event SET state = 2, due_ms = NULL, until_ms = 0, expires_ms = ?
    WHERE id = ? AND token = ? AND state = 1`);
  const dropBody = db.prepare('DELETE FROM pathfinder_webhook_body WHERE id = ?');
  const handle = async (_event: unknown) => undefined;
  let tokens = 0;
  for (;;) {
    db.exec('BEGIN IMMEDIATE');
    const untilMs = Date.now() + LEASE_MS;
    const rows = due.all(Date.now(), concurrency) as { id: number; body: ArrayBuffer; token: string }[];
    for (const row of rows) {
      row.token = `token_${Date.now()}_${tokens++}`;
      claim.run(row.token, untilMs, untilMs, row.id);
    }
    db.exec('COMMIT');
    if (rows.length === 0) return;
    await Promise.all(rows.map(({ body }) => handle(JSON.parse(Buffer.from(body).toString()))));
    db.exec('BEGIN IMMEDIATE');
    for (const { id, token } of rows) {
      if (complete.run(Date.now() + RETENTION_MS, id, token).changes === 1) dropBody.run(id);
    }
    db.exec('COMMIT');
  }
}
