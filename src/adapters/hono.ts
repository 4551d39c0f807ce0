/**
 * Receives webhooks in a Hono application, on Node, Bun, Deno and Cloudflare Workers.
 *
 * @module @pathfinder/webhooks/hono
 */
import type { Context, HonoRequest, MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type {
  ReceivedWebhookEvent,
  WebhookBodyLimits,
  WebhookDelivery,
  WebhookReceiver,
  WebhookReply,
} from '../index.ts';
import { readWebDelivery, type WebPlatform } from './read-web-body.ts';

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
    const delivery = readHonoDelivery(c, webhooks.limits);
    const admission = await webhooks.admit(delivery);
    if ('reply' in admission) return respond(c, admission.reply);
    // Hono keeps nothing of a body that came in pieces, so its bytes are kept here for whoever reads it next.
    if (!c.req.bodyCache.arrayBuffer) await keep(c.req, new Response((await delivery).body).arrayBuffer());
    c.set('webhookEvent', admission.event);
    return next();
  };
}

// The reply is made by the context: a Response of our own would go without the headers that middleware has set.
function respond(c: Context, { status, headers, body }: WebhookReply): Response {
  return c.body(body, status as ContentfulStatusCode, headers);
}

function readHonoDelivery(c: Context, limits: WebhookBodyLimits): Promise<WebhookDelivery> {
  return readWebDelivery(c.req.raw, limits, new HonoPlatform(c), wholeBody(c.req));
}

// The body is not read by `c.req.arrayBuffer()`, which in Hono 4.9 fails behind `parseBody()`, even where that has read nothing.
function wholeBody(request: HonoRequest): (() => Promise<ArrayBuffer>) | undefined {
  const { raw, bodyCache } = request;
  const kept = bodyCache.arrayBuffer ?? bodyCache.blob ?? bodyCache.text;
  if (kept) return async () => new Response(await kept).arrayBuffer();
  return raw.bodyUsed ? undefined : () => keep(request, raw.arrayBuffer());
}

// Hono looks here for whoever reads the body next. Its type leaves out that these are promises.
function keep({ bodyCache }: HonoRequest, bytes: Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  Object.assign(bodyCache, { arrayBuffer: bytes });
  return bytes;
}

// The platform is a class, whose getters are made once and not for each delivery.
class HonoPlatform implements WebPlatform {
  readonly #c: Context;

  constructor(c: Context) {
    this.#c = c;
  }

  get env(): unknown {
    return this.#c.env;
  }

  get params(): WebPlatform['params'] {
    return this.#c.req.param();
  }

  // The context is asked for only when needed: where the platform has none, Hono throws, which costs a tenth of a request.
  get waitUntil(): WebPlatform['waitUntil'] {
    try {
      const { executionCtx } = this.#c;
      return (work) => executionCtx.waitUntil(work);
    } catch {
      return undefined;
    }
  }
}
