// pages/api/webhooks/pathfinder.ts
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextApiHandler } from '@pathfinder/webhooks/next';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

// The signature covers the raw bytes, which Next's parser would take.
export const config = { api: { bodyParser: false } };
export default toNextApiHandler(webhooks);
