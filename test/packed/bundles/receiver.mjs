import { WebhookHandler } from '@pathfinder/webhooks';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import Database from 'libsql';

// This module is bundled: it takes a forged delivery and a signed one on a database that it has opened, then on a path.
const { PATHFINDER_WEBHOOK_SECRET: secret, BODY, SIGNATURE, FOLDER } = process.env;
const body = Buffer.from(BODY);

async function receive(database) {
  const queue = sqliteQueue(database);
  const webhooks = new WebhookHandler({ secret, queue, logger: { debug() {}, info() {}, warn() {}, error() {} } });
  const ran = [];
  webhooks.on('user.created', ({ data }) => void ran.push(data.user.username));
  const statuses = [];
  for (const signature of [`sha256=${'0'.repeat(64)}`, SIGNATURE]) {
    const header = (name) => (name === 'x-pathfinder-signature' ? signature : undefined);
    statuses.push((await webhooks.receive({ method: 'POST', header, body })).status);
  }
  await webhooks.drain({ maxMs: 10_000 });
  await queue.close();
  return { statuses, ran };
}

const opened = await receive(new Database(`${FOLDER}/opened.db`));
const path = await receive(`${FOLDER}/path.db`);
console.log(JSON.stringify({ opened, path }));
