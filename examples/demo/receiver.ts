// This file is one process of the receiver: the demo starts it with a folder and an engine, hears where it listens, and kills it.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import express from 'express';
import { loadEngine } from './engines/engine.ts';
import { FLAKY_ID, RUNS, SECRET } from './fixtures.ts';

const [, , folder = '.', name = 'sqlite'] = process.argv;
const { queue, onEvents } = await (await loadEngine(name)).open(folder);
const webhooks = new WebhookHandler({
  secret: SECRET,
  queue,
  retry: { baseMs: 20 },
  // The report shows what there is to see.
  logger: { debug() {}, info() {}, warn() {}, error() {} },
});

onEvents(webhooks, async (id, attempt) => {
  appendFileSync(join(folder, RUNS), `${id}\n`);
  await delay(10 + Math.random() * 20);
  if (id === FLAKY_ID && attempt === 1) throw new Error('The mail server is restarting.');
});
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
