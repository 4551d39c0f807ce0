import { serve } from '@hono/node-server';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toHonoHandler } from '@pathfinder/webhooks/hono';
import { Hono } from 'hono';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

const app = new Hono();
app.post('/webhooks/pathfinder', toHonoHandler(webhooks));

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}/webhooks/pathfinder`);
});
