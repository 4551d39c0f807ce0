/**
 * Receives webhooks in a Hono application, on Node, Bun, Deno and Cloudflare Workers.
 *
 * @packageDocumentation
 */
import type { Context, MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type {
  ReceivedWebhookEvent,
  WebhookBodyLimits,
  WebhookDelivery,
  WebhookReceiver,
  WebhookReply,
} from '../index.ts';
import { readWebDelivery } from './read-web-body.ts';

// Asked for only when there is such work: where there is none, Hono throws, which costs a tenth of a request. One getter
// for all, since an object with a getter of its own has a shape of its own, which costs more than that.
const WAIT_UNTIL: PropertyDescriptor & ThisType<{ readonly c: Context }> = {
  enumerable: true,
  get(): WebhookDelivery['waitUntil'] {
    try {
      const { executionCtx } = this.c;
      return (work) => executionCtx.waitUntil(work);
    } catch {
      return undefined;
    }
  },
};

/** What `webhookMiddleware` adds to an application's environment. */
export interface WebhookEnv {
  Variables: {
    /** The delivery's event, verified and read. */
    webhookEvent: ReceivedWebhookEvent;
  };
}

/**
 * Mounts a `WebhookHandler` on a route. Takes any content type, passes `c.env` to a `secret` function and work behind the
 * reply to `executionCtx.waitUntil`. Behind middleware that read the body it takes what Hono kept of it; where that is
 * nothing, it answers 500 `body_already_parsed`.
 *
 * @example
 * ```ts
 * app.post('/webhooks/pathfinder', toHonoHandler(webhooks));
 * ```
 */
export function toHonoHandler(webhooks: WebhookReceiver): (c: Context) => Promise<Response> {
  return async (c) => respond(c, await webhooks.receive(readHonoDelivery(c, webhooks.limits)));
}

/**
 * Verifies and reads a delivery and sets `c.var.webhookEvent`, for those who dispatch by themselves; refuses the others
 * as `toHonoHandler` does. No claim, no dedupe: a redelivered or replayed event passes again, and no handler that was
 * registered with `on` runs.
 */
export function webhookMiddleware(webhooks: WebhookReceiver): MiddlewareHandler<WebhookEnv> {
  return async (c, next) => {
    const admission = await webhooks.admit(readHonoDelivery(c, webhooks.limits));
    if ('reply' in admission) return respond(c, admission.reply);
    c.set('webhookEvent', admission.event);
    return next();
  };
}

// Not a Response of its own, which would go without the headers that middleware has set.
function respond(c: Context, { status, headers, body }: WebhookReply): Response {
  return c.body(body, status as ContentfulStatusCode, headers);
}

function readHonoDelivery(c: Context, limits: WebhookBodyLimits): Promise<WebhookDelivery> {
  const context = Object.defineProperty({ c, env: c.env, params: c.req.param() }, 'waitUntil', WAIT_UNTIL);
  const { arrayBuffer, blob, text } = c.req.bodyCache;
  const kept = !c.req.raw.bodyUsed || arrayBuffer || blob || text;
  return readWebDelivery(c.req.raw, limits, context, kept ? () => c.req.arrayBuffer() : undefined);
}
