import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type ReceivedWebhookEvent, WebhookHandler } from '@pathfinder/webhooks';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { type FetchHandler, toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toHonoHandler, webhookMiddleware } from '@pathfinder/webhooks/hono';
import { toNextApiHandler, toNextRoute } from '@pathfinder/webhooks/next';
import { toNodeListener } from '@pathfinder/webhooks/node';
import fastify from 'fastify';
import { Hono } from 'hono';
import { expectTypeOf } from 'vitest';
import * as z from 'zod';

const plain = new WebhookHandler('whsec_0123456789abcdef');
const extended = new WebhookHandler({ secret: 's', events: { 'order.paid': z.object({ total: z.number() }) } });

// Fastify: a plugin with a prefix, with any server and logger.
await fastify().register(toFastifyPlugin(extended), { prefix: '/hooks' });
await fastify({ logger: true, http2: false }).register(toFastifyPlugin(plain), { prefix: '/:tenant/hooks' });

// Hono: whatever the bindings and the path.
const app = new Hono<{ Bindings: { readonly SECRET: string } }>();
app.post('/hooks', toHonoHandler(plain));
app.all('/:tenant/hooks', toHonoHandler(extended));
app.post('/own', webhookMiddleware(plain), (c) => {
  expectTypeOf(c.var.webhookEvent).toEqualTypeOf<ReceivedWebhookEvent>();
  return c.text(c.var.webhookEvent.id);
});

// Next: the signatures that its own type checks of a build expect.
expectTypeOf(toNextRoute(plain)).toExtend<
  (request: Request, context: { params: Promise<{ tenant: string }> }) => Promise<Response>
>();
expectTypeOf(toNextApiHandler(extended)).toExtend<
  (
    request: IncomingMessage & { query: Partial<Record<string, string | string[]>> },
    response: ServerResponse,
  ) => unknown
>();

// fetch and node:http.
expectTypeOf(toFetchHandler(plain)).toEqualTypeOf<FetchHandler>();
expectTypeOf(toFetchHandler(extended)).toExtend<(request: Request) => Promise<Response>>();
expectTypeOf(toNodeListener(extended)).toExtend<RequestListener>();

// @ts-expect-error: a secret is no handler
toFastifyPlugin('whsec_0123456789abcdef');
// @ts-expect-error: nor here
toHonoHandler('whsec_0123456789abcdef');
// @ts-expect-error: adapters have no options of their own
toFetchHandler(plain, { maxBodyBytes: 1 });
