import { WebhookHandler } from '@pathfinder/webhooks';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import fastify from 'fastify';

const app = fastify();
const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '', logger: app.log });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

// A scope of its own: parsers and routes of the app stay as they are.
await app.register(toFastifyPlugin(webhooks), { prefix: '/webhooks/pathfinder' });
app.post('/orders', (request) => ({ order: request.body }));

const origin = await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
console.log(`listening on ${origin}/webhooks/pathfinder`);
