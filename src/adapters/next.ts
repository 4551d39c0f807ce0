/**
 * Receives webhooks in a Next.js application, by the App Router or the Pages Router.
 *
 * @module @pathfinder/webhooks/next
 */
import type { ServerResponse } from 'node:http';
import { textParams, type WebhookReceiver } from '../index.ts';
import { type NodeRequest, readNodeDelivery, writeNodeReply } from './read-node-body.ts';
import { readWebDelivery } from './read-web-body.ts';

/** A route handler of the App Router, for `export const POST`. */
export interface NextRoute {
  (request: Request): Promise<Response>;
  /** As Next calls it: the segments of the path reach a `secret` function as `delivery.params`. */
  (request: Request, context: { readonly params: Promise<object> }): Promise<Response>;
}

/** A request of the Pages Router. */
export interface NextApiRequest extends NodeRequest {
  /** The segments of the path and the query, which reach a `secret` function as `delivery.params`. */
  readonly query?: object | undefined;
}

/** An API route of the Pages Router, for `export default`. */
export type NextApiHandler = (request: NextApiRequest, response: ServerResponse) => Promise<void>;

/**
 * Mounts a `WebhookHandler` on a route of the App Router. For work behind the reply pass the handler
 * `{ waitUntil: after }`, with `after` from `next/server`.
 *
 * @example
 * ```ts
 * export const POST = toNextRoute(webhooks);
 * ```
 */
export function toNextRoute(webhooks: WebhookReceiver): NextRoute {
  // Not `request.arrayBuffer()`, which is faster: it locks the stream, and then nothing can disconnect a sender who never
  // ends the body.
  const read = async (request: Request, params: Promise<object> | undefined) =>
    readWebDelivery(request, webhooks.limits, { params: textParams(await params) });
  return async (request: Request, context?: { readonly params: Promise<object> }) => {
    const { status, headers, body } = await webhooks.receive(read(request, context?.params));
    // Replies are ASCII; without a length Next would send them in chunks.
    return new Response(body, { status, headers: { 'content-length': String(body.length), ...headers } });
  };
}

/**
 * Mounts a `WebhookHandler` on an API route of the Pages Router. Next parses bodies unless the route says otherwise;
 * without the second line of the example it answers 500 `body_already_parsed`.
 *
 * @example
 * ```ts
 * export default toNextApiHandler(webhooks);
 * export const config = { api: { bodyParser: false } };
 * ```
 */
export function toNextApiHandler(webhooks: WebhookReceiver): NextApiHandler {
  return async (request, response) => {
    const { rawBody, body, query: params } = request;
    const delivery = readNodeDelivery(request, webhooks.limits, { rawBody, body, params });
    writeNodeReply(response, await webhooks.receive(delivery));
  };
}
