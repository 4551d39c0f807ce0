import { WebhookHandler } from '@pathfinder/webhooks';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { fastify } from 'fastify';

const webhooks = new WebhookHandler({ secret: 'whsec_0123456789abcdef' });
const app = fastify({ logger: true });
app.register(toFastifyPlugin(webhooks), { prefix: '/hooks' });
void fastify({ http2: true }).register(toFastifyPlugin(new WebhookHandler({ secret: 's', logger: app.log })), {
  prefix: '/:tenant',
});
