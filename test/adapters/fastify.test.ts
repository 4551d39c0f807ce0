import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import fastify from 'fastify';
import { describeAdapter } from './matrix.ts';

const PATH = '/webhooks/pathfinder';
describeAdapter('fastify', async (webhooks) => {
  const app = fastify({ forceCloseConnections: true });
  app.register(toFastifyPlugin(webhooks), { prefix: PATH });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url: origin + PATH, close: () => app.close() };
});
