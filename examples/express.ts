import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import express from 'express';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

webhooks.on('experience.*', async (event, { once }) => {
  await once('notify', () => console.log(`${event.type} ${event.id}`));
});

const app = express();
// Before express.json(): the signature covers the raw bytes.
app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
app.use(express.json());

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on ${JSON.stringify(server.address())}`);
});
