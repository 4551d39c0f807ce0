import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextRoute } from '@pathfinder/webhooks/next';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { after } from 'next/server';

const webhooks = new WebhookHandler({
  secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '',
  queue: memoryQueue({ allowVolatile: true }),
  waitUntil: after,
});
webhooks.on('user.created', ({ id }) => console.log(`drained ${id}`));

export const POST = toNextRoute(webhooks);
