import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import express from 'express';

export const SECRET = 'whsec_of_the_demo_0123456789abcdef';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A real receiver: an Express app with two routes, one of them mounted where it must not be. */
export async function startReceiver(): Promise<{
  server: Server;
  url: string;
  webhooks: WebhookHandler;
  ran: string[];
}> {
  const ran: string[] = [];
  const webhooks = new WebhookHandler({ secret: SECRET, logger: silent, retry: { baseMs: 20 } });
  let refusals = 1;
  webhooks.on('*', function record({ type }) {
    ran.push(type);
  });
  webhooks.on('resume.generated', function flaky() {
    if (refusals-- > 0) throw new Error('the mail server is restarting');
    ran.push('resume.generated again');
  });

  const app = express();
  app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
  app.use(express.json());
  app.post('/behind-a-parser', toExpressHandler(webhooks));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, webhooks, ran };
}
