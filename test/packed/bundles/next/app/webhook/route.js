import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextRoute } from '@pathfinder/webhooks/next';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import Database from 'libsql';
import { after } from 'next/server';

const { PATHFINDER_WEBHOOK_SECRET: secret, FOLDER, DATABASE } = process.env;
const file = `${FOLDER}/${DATABASE}.db`;
const queue = sqliteQueue(DATABASE === 'opened' ? new Database(file) : file);
const webhooks = new WebhookHandler({ secret, queue, waitUntil: after });
webhooks.on('user.created', ({ data }) => console.log(`ran for ${data.user.username}`));

export const POST = toNextRoute(webhooks);
