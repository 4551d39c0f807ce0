import {
  constructWebhookEvent,
  type ReceivedWebhookEvent,
  verifyWebhookSignature,
  type WebhookEvent,
  WebhookHandler,
  type WebhookReceiver,
} from '@pathfinder/webhooks';
import { toExpressHandler, webhookMiddleware } from '@pathfinder/webhooks/express';
import express from 'express';
import { expectTypeOf } from 'vitest';
import * as z from 'zod';

const webhooks = new WebhookHandler({ secret: 's' });

webhooks.on('user.created', (event) => {
  expectTypeOf(event).toEqualTypeOf<WebhookEvent<'user.created'>>();
  expectTypeOf(event.data.user.email).toBeString();
});
webhooks.on(['user.deleted', 'auth.logout'], (event) => {
  expectTypeOf(event).toEqualTypeOf<WebhookEvent<'user.deleted'> | WebhookEvent<'auth.logout'>>();
});
webhooks.on('resume.*', (event) => {
  expectTypeOf(event.type).toEqualTypeOf<'resume.generated' | 'resume.downloaded'>();
});
webhooks.on('*', (event, context) => {
  expectTypeOf(event).toEqualTypeOf<ReceivedWebhookEvent>();
  expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
  expectTypeOf(context.once('step', () => 1)).toEqualTypeOf<Promise<number>>();
});
webhooks.on('user.created', () => undefined, { serialBy: ({ data }) => data.user.id });
// @ts-expect-error: a misspelt name
webhooks.on('user.craeted', () => undefined);
// @ts-expect-error: a prefix that nothing has
webhooks.on('users.*', () => undefined);

const own = new WebhookHandler({
  secret: 's',
  events: { 'billing.paid': z.object({ amount: z.string().transform(Number) }) },
});
own.on('billing.paid', ({ data }) => {
  expectTypeOf(data).toEqualTypeOf<{ amount: number }>();
});
own.on('billing.*', ({ type }) => {
  expectTypeOf(type).toEqualTypeOf<'billing.paid'>();
});
expectTypeOf(own).toExtend<WebhookReceiver>();

// A boolean and not a promise of one: a forgotten await would accept every forgery.
expectTypeOf(verifyWebhookSignature).returns.toEqualTypeOf<boolean>();
expectTypeOf(webhooks.verifySignature).returns.toEqualTypeOf<boolean>();
expectTypeOf(constructWebhookEvent).returns.toEqualTypeOf<ReceivedWebhookEvent>();
// @ts-expect-error: a parsed body has lost the bytes that were signed
verifyWebhookSignature({ id: 1 }, 'sha256=', 's');
// @ts-expect-error: an event comes only after the await
webhooks.handle('{}', 'sha256=').status;
// @ts-expect-error: the secret may be missing from the environment
new WebhookHandler(process.env.PATHFINDER_WEBHOOK_SECRET);

const app = express();
app.post('/webhooks', toExpressHandler(own));
app.use('/webhooks', toExpressHandler(webhooks));
app.post('/webhooks', webhookMiddleware(webhooks), (request) => {
  expectTypeOf(request.webhookEvent).toEqualTypeOf<ReceivedWebhookEvent | undefined>();
});
