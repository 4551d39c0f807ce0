/**
 * Receive webhooks on `node:http`.
 *
 * @packageDocumentation
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WebhookReceiver } from '../index.ts';
import { readNodeDelivery, writeNodeReply } from './read-node-body.ts';

/**
 * Makes a listener for `createServer`. Every path reaches it: route before it where the server has others.
 *
 * @example
 * ```ts
 * createServer(toNodeListener(webhooks)).listen(3000);
 * ```
 */
export function toNodeListener(
  webhooks: WebhookReceiver,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    writeNodeReply(response, await webhooks.receive(readNodeDelivery(request, webhooks.limits)));
  };
}
