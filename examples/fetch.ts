import { serve } from '@hono/node-server';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

const receive = toFetchHandler(webhooks);

// The same function is what Bun.serve, Deno.serve and `export default` of a Worker take.
function route(request: Request): Promise<Response> | Response {
  const isWebhook = new URL(request.url).pathname === '/webhooks/pathfinder';
  return isWebhook ? receive(request) : new Response('Not found', { status: 404 });
}

serve({ fetch: route, port: Number(process.env.PORT ?? 3000), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}/webhooks/pathfinder`);
});
