import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextApiHandler } from '@pathfinder/webhooks/next';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });
webhooks.on('user.created', ({ id }) => console.log(`handled ${id}`));

export default toNextApiHandler(webhooks);
export const config = { api: { bodyParser: false } };
