// A receiver of this package as it is built, with its queue in a file.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';

const [port, folder] = process.argv.slice(2);
const write = (level) => (fields, message) =>
  appendFileSync(join(folder, 'log'), `${level} ${message} ${JSON.stringify(fields)}\n`);
const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
const queue = sqliteQueue(join(folder, 'webhooks.db'), { logger });
const webhooks = new WebhookHandler({ secret: process.env.DURABLE_SECRET, queue, logger });
webhooks.on('*', ({ id }) => appendFileSync(join(folder, 'effects'), `${id}\n`), { name: 'record' });
await webhooks.start();
createServer(toNodeListener(webhooks)).listen(Number(port), '127.0.0.1');
