/**
 * Receives webhooks in an Express 4 or 5 application.
 *
 * @module @pathfinder/webhooks/express
 */
import type { ServerResponse } from 'node:http';
import type { ReceivedWebhookEvent, WebhookReceiver } from '../index.ts';
import { type NodeRequest, readNodeDelivery, writeNodeReply } from './read-node-body.ts';

export type { NodeRequest } from './read-node-body.ts';

declare global {
  // biome-ignore lint/style/noNamespace: Express looks here for what middleware adds to a request
  namespace Express {
    interface Request {
      /** Set by `webhookMiddleware`. */
      webhookEvent?: ReceivedWebhookEvent;
    }
  }
}

/** A request as Express 4 and 5 hand it on. */
export interface ExpressRequest extends NodeRequest {
  webhookEvent?: ReceivedWebhookEvent | undefined;
  /** Set by body parsers, and by `webhookMiddleware`: the body has been read. */
  _body?: boolean | undefined;
}

/** A handler or middleware that fits `RequestHandler` of Express 4 and 5. */
export type ExpressHandler = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Mounts a `WebhookHandler` on a route. Takes any content type, and works before `express.json()`, behind
 * `express.raw()`, and where `req.rawBody` holds the bytes. Behind a parser that kept none it answers 500
 * `body_already_parsed` at once, and the log says what to do.
 *
 * @example
 * ```ts
 * app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
 * ```
 */
export function toExpressHandler(webhooks: WebhookReceiver): ExpressHandler {
  return (request, response, next) => {
    webhooks
      .receive(readNodeDelivery(request, webhooks.limits))
      .then((reply) => writeNodeReply(response, reply))
      .catch(next);
  };
}

/**
 * Verifies and reads a delivery and sets `req.webhookEvent`, for those who dispatch by themselves; refuses the others as
 * `toExpressHandler` does. No claim, no dedupe: a redelivered or replayed event passes again, and no handler that was
 * registered with `on` runs.
 */
export function webhookMiddleware(webhooks: WebhookReceiver): ExpressHandler {
  return (request, response, next) => {
    webhooks
      .admit(readNodeDelivery(request, webhooks.limits))
      .then(async (admission) => {
        if ('reply' in admission) return writeNodeReply(response, admission.reply);
        request.webhookEvent = admission.event;
        await tellParsers(request);
        return next();
      })
      .catch(next);
  };
}

// Parsers that come later would wait for a body that is gone. Those of Express 4 look at this mark, those of Express 5 whether the
// stream has ended, which a body that was read in one piece has not quite.
async function tellParsers(request: ExpressRequest): Promise<void> {
  request._body = true;
  if (!request.readableDidRead || request.readableEnded || request.destroyed) return;
  await new Promise<void>((resolve) => {
    request.once('end', resolve).once('close', resolve);
  });
}
