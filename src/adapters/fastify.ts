/**
 * Receives webhooks in a Fastify 5 application.
 *
 * @packageDocumentation
 */
import type { FastifyPluginCallback } from 'fastify';
import type { WebhookReceiver } from '../index.ts';
import { readNodeDelivery } from './read-node-body.ts';

/**
 * Makes a plugin of a `WebhookHandler`, whose `prefix` is the webhook's path. It is encapsulated: body parsers of the
 * application do not reach into it, and its own reach no other route. A reply that asks for redelivery is logged with
 * `request.log`; all else goes where the handler logs, for which `{ logger: app.log }` fits.
 *
 * @example
 * ```ts
 * await app.register(toFastifyPlugin(webhooks), { prefix: '/webhooks/pathfinder' });
 * ```
 */
export function toFastifyPlugin(webhooks: WebhookReceiver): FastifyPluginCallback {
  return function pathfinderWebhooks(app, _options, done) {
    app.removeAllContentTypeParsers();
    // Leaves every body unread, whatever it is called.
    app.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    app.all<{ Params: Record<string, string> }>('/', (request, reply) => {
      webhooks
        .receive(readNodeDelivery(request.raw, webhooks.limits, request))
        .then(({ status, headers, body }) => {
          if (status >= 500) request.log.warn({ status, reply: body }, 'A webhook has to be delivered again');
          // As bytes, since Fastify adds a charset to text.
          reply.code(status).headers(headers).send(Buffer.from(body));
        })
        .catch((error) => reply.send(error));
    });
    done();
  };
}
