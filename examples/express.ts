import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import express from 'express';

// Throws at once if the secret is not set: there is no way to run without verification.
const webhooks = new WebhookHandler(process.env.PATHFINDER_WEBHOOK_SECRET ?? '');

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

webhooks.on('experience.*', async (event, context) => {
  // Remembered: if something below fails, the next attempt does not notify again.
  await context.once('notify', () => console.log(`${event.type}: ${event.id}`));
});

const app = express();
// Before express.json(): the signature covers the raw bytes.
app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
app.use(express.json());

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://localhost:${port}/webhooks/pathfinder`);
});
