/**
 * Receives webhooks wherever a server is a function from `Request` to `Response`: Cloudflare Workers, Bun, Deno and many
 * frameworks.
 *
 * @module @pathfinder/webhooks/fetch
 */
import type { WebhookReceiver } from '../index.ts';
import { readWebDelivery } from './read-web-body.ts';

/** What Cloudflare hands to a Worker beside the request and its bindings. */
export interface WorkerContext {
  /** Keeps the Worker alive until this is done. */
  waitUntil(work: Promise<unknown>): void;
}

/** Answers a request. `env` reaches a `secret` function as `delivery.env`. */
export type FetchHandler = (request: Request, env?: unknown, context?: WorkerContext) => Promise<Response>;

/**
 * Makes a handler of web-standard requests of a `WebhookHandler`. It answers on every path; where the server has other
 * routes, call it from the one that is the webhook's.
 *
 * @example
 * ```ts
 * export default { fetch: toFetchHandler(webhooks) };
 * ```
 */
export function toFetchHandler(webhooks: WebhookReceiver): FetchHandler {
  return async (request, env, context) => {
    const platform = context ? { env, waitUntil: (work: Promise<unknown>) => context.waitUntil(work) } : { env };
    const whole = request.bodyUsed ? undefined : () => request.arrayBuffer();
    const delivery = readWebDelivery(request, webhooks.limits, platform, whole);
    const { status, headers, body } = await webhooks.receive(delivery);
    return new Response(body, { status, headers });
  };
}
