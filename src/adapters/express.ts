/**
 * Receive webhooks in Express 4 and 5.
 *
 * @packageDocumentation
 */
import type { ServerResponse } from 'node:http';
import type { ReceivedWebhookEvent, WebhookReceiver } from '../index.ts';
import { type NodeRequest, readNodeDelivery, writeNodeReply } from './read-node-body.ts';

declare global {
  // biome-ignore lint/style/noNamespace: this is how Express is told of a property of its requests
  namespace Express {
    interface Request {
      /** Set by `webhookMiddleware`. */
      webhookEvent?: ReceivedWebhookEvent;
    }
  }
}

/** An Express request, as far as an adapter knows it. */
export interface ExpressRequest extends NodeRequest {
  webhookEvent?: ReceivedWebhookEvent;
}

/** Handles a route. Never rejects, which Express 4 would not notice. */
export type ExpressHandler = (request: ExpressRequest, response: ServerResponse) => Promise<void>;

/** Handles a request or hands it on. */
export type ExpressMiddleware = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => Promise<void>;

/**
 * Mounts a `WebhookHandler` on an Express route. Reads the bytes itself, whatever their content type; behind
 * `express.json()` it answers `body_already_parsed`, so mount it before.
 *
 * @example
 * ```ts
 * app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
 * ```
 */
export function toExpressHandler(webhooks: WebhookReceiver): ExpressHandler {
  return async (request, response) => {
    writeNodeReply(response, await webhooks.receive(readNodeDelivery(request, webhooks.limits)));
  };
}

/**
 * Verifies and reads a delivery, sets `request.webhookEvent` and calls the next handler, for those who dispatch by
 * themselves. Nothing is claimed or remembered: a delivery that comes twice passes twice.
 */
export function webhookMiddleware(webhooks: WebhookReceiver): ExpressMiddleware {
  return async (request, response, next) => {
    const admission = await webhooks.admit(readNodeDelivery(request, webhooks.limits));
    if ('reply' in admission) return writeNodeReply(response, admission.reply);
    request.webhookEvent = admission.event;
    next();
  };
}
