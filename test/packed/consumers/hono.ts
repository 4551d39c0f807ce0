import { isWebhookEvent, WebhookHandler } from '@pathfinder/webhooks';
import { toHonoHandler, webhookMiddleware } from '@pathfinder/webhooks/hono';
import { Hono } from 'hono';

interface Bindings {
  readonly SECRET: string;
}

const webhooks = new WebhookHandler({
  secret: ({ env }) => ({ secret: (env as Bindings).SECRET, tenant: 'main' }),
});
export const app = new Hono<{ Bindings: Bindings }>();
app.post('/hooks', toHonoHandler(webhooks));
app.route('/api', new Hono().all('/:tenant/hooks', toHonoHandler(webhooks)));
app.post('/own', webhookMiddleware(webhooks), (c) => {
  const event = c.var.webhookEvent;
  return c.text(isWebhookEvent(event, 'user.created') ? event.data.user.email : event.id);
});
