// app/api/webhooks/pathfinder/route.ts
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextRoute } from '@pathfinder/webhooks/next';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

export const POST = toNextRoute(webhooks);
