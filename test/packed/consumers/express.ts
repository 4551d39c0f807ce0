import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler, webhookMiddleware } from '@pathfinder/webhooks/express';
import express from 'express';

const webhooks = new WebhookHandler({ secret: 'whsec_0123456789abcdef' });
const app = express();
app.use('/hooks', toExpressHandler(webhooks));
app.post('/hooks', toExpressHandler(webhooks));
app.post('/:tenant/hooks', express.raw({ type: '*/*' }), toExpressHandler(webhooks));
app.use('/api', express.Router().post('/hooks', toExpressHandler(webhooks)));
app.post('/own', webhookMiddleware(webhooks), (request, response) => {
  const id: string | undefined = request.webhookEvent?.id;
  response.json({ id });
});
