// This file is one process of the receiver: the demo starts it with a folder, hears where it listens, and kills it.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { type SqliteDatabase, sqliteQueue } from '@pathfinder/webhooks/sqlite';
import express from 'express';
import { DATABASE, FLAKY_ID, RUNS, SECRET } from './fixtures.ts';

const folder = process.argv[2] ?? '.';
const queue = sqliteQueue(join(folder, DATABASE), { leaseMs: 1000 });
const webhooks = new WebhookHandler({
  secret: SECRET,
  queue,
  retry: { baseMs: 20 },
  // The report shows what there is to see.
  logger: { debug() {}, info() {}, warn() {}, error() {} },
});

webhooks.on(
  '*',
  async function sendMail({ id }, { attempt, commit }) {
    // Work outside of the database happens at least once, and the mail, which is in it, exactly once.
    appendFileSync(join(folder, RUNS), `${id}\n`);
    await delay(10 + Math.random() * 20);
    if (id === FLAKY_ID && attempt === 1) throw new Error('The mail server is restarting.');
    commit?.((db: SqliteDatabase) => db.prepare('INSERT INTO mail (event_id) VALUES (?)').run(id));
  },
  { transaction: true },
);
await webhooks.start();

const app = express();
app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
app.use(express.json());
app.post('/behind-a-parser', toExpressHandler(webhooks));

const server = createServer(app);
server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.send?.({ url: `${origin}/webhooks/pathfinder`, parsedUrl: `${origin}/behind-a-parser` });
});
process.on('message', async () => process.send?.({ counts: webhooks.metrics.getStats(), left: await queue.stats() }));
process.on('disconnect', () => process.exit(1));
