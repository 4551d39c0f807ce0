// Each call must not compile. If the types were lost on the way to a consumer, all of them would.
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toHonoHandler } from '@pathfinder/webhooks/hono';
import { toNextRoute } from '@pathfinder/webhooks/next';
import { toNodeListener } from '@pathfinder/webhooks/node';

// @ts-expect-error: a secret is no handler
toExpressHandler('whsec_0123456789abcdef');
// @ts-expect-error: a secret is no handler
toFastifyPlugin('whsec_0123456789abcdef');
// @ts-expect-error: a secret is no handler
toFetchHandler('whsec_0123456789abcdef');
// @ts-expect-error: a secret is no handler
toHonoHandler('whsec_0123456789abcdef');
// @ts-expect-error: a secret is no handler
toNextRoute('whsec_0123456789abcdef');
// @ts-expect-error: a secret is no handler
toNodeListener('whsec_0123456789abcdef');
