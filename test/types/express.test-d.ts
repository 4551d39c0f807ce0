import { createServer, type RequestListener } from 'node:http';
import { isWebhookEvent, type ReceivedWebhookEvent, WebhookHandler } from '@pathfinder/webhooks';
import { type ExpressHandler, toExpressHandler, webhookMiddleware } from '@pathfinder/webhooks/express';
import { toNodeListener } from '@pathfinder/webhooks/node';
import express, { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';
import { expectTypeOf } from 'vitest';
import * as z from 'zod';

const plain = new WebhookHandler('whsec_0123456789abcdef');
const extended = new WebhookHandler({ secret: 's', events: { 'order.paid': z.object({ total: z.number() }) } });
const app = express();

// What Express 4 and 5 take. That of 4 returns nothing.
expectTypeOf<ExpressHandler>().toExtend<RequestHandler>();
expectTypeOf<ExpressHandler>().toExtend<(request: Request, response: Response, next: NextFunction) => void>();
expectTypeOf<ExpressHandler>().toExtend<RequestHandler<{ tenant: string }, string, Buffer, { page: string }>>();

// Every way to mount one, whatever the event types and the parameters of the route.
for (const handler of [toExpressHandler(plain), toExpressHandler(extended), webhookMiddleware(extended)]) {
  app.use(handler);
  app.use('/hooks', express.raw({ type: '*/*' }), handler);
  app.post('/hooks', handler);
  app.post('/:tenant/hooks{/:version}', handler);
  app.post('/hooks/*rest', handler);
  app.route('/hooks').post(handler);
  Router().all(/hooks/, [express.raw(), handler]);
}

app.post('/own', webhookMiddleware(plain), (request, response) => {
  expectTypeOf(request.webhookEvent).toEqualTypeOf<ReceivedWebhookEvent | undefined>();
  const event = request.webhookEvent;
  if (event && isWebhookEvent(event, 'user.created')) expectTypeOf(event.data.user.email).toBeString();
  response.sendStatus(204);
});

expectTypeOf(toNodeListener(extended)).toExtend<RequestListener>();
createServer(toNodeListener(plain));

// @ts-expect-error: a secret is no handler
toExpressHandler('whsec_0123456789abcdef');
// @ts-expect-error: the event types of a receiver are no handler either
toNodeListener(plain.eventTypes);
