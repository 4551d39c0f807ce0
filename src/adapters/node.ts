/**
 * Receives webhooks with `node:http`, without a framework.
 *
 * @module @pathfinder/webhooks/node
 */
import type { ServerResponse } from 'node:http';
import type { WebhookReceiver } from '../index.ts';
import { type NodeRequest, readNodeDelivery, writeNodeReply } from './read-node-body.ts';

export type { NodeRequest } from './read-node-body.ts';

/**
 * Makes a listener of a `WebhookHandler`. It answers on every path; where the server has other routes, call it from the
 * one that is the webhook's.
 *
 * @example
 * ```ts
 * createServer(toNodeListener(webhooks)).listen(3000);
 * ```
 */
export function toNodeListener(webhooks: WebhookReceiver): (request: NodeRequest, response: ServerResponse) => void {
  return (request, response) => {
    webhooks
      .receive(readNodeDelivery(request, webhooks.limits))
      .then((reply) => writeNodeReply(response, reply))
      .catch((error) => response.destroy(error));
  };
}
