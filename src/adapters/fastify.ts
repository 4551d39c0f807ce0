/**
 * Receives webhooks in a Fastify 5 application.
 *
 * @module @pathfinder/webhooks/fastify
 */
import type { FastifyPluginCallback } from 'fastify';
import type { WebhookReceiver } from '../index.ts';
import { readNodeDelivery } from './read-node-body.ts';

/**
 * Makes a plugin of a `WebhookHandler`, whose `prefix` is the webhook's path. It is encapsulated: body parsers of the
 * application do not reach into it, and its own reach no other route. What there is to say of a refused delivery goes to
 * `request.log`, and of the runs of handlers to the handler's own logger, for which `app.log` fits.
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
        .receive(readNodeDelivery(request.raw, webhooks.limits, request), request.log)
        .then(({ status, headers, body }) => {
          // The body is sent as bytes, since Fastify adds a charset to text.
          reply.code(status).headers(headers).send(Buffer.from(body));
        })
        .catch((error) => reply.send(error));
    });
    done();
  };
}
