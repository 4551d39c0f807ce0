import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import express from 'express';

export const SECRET = 'whsec_of_the_demo_0123456789abcdef';
/** The event whose handler fails on its first attempt. */
export const FLAKY_ID = 'evt_flaky';

export interface Receiver {
  /** The webhook's route. */
  readonly url: string;
  /** A route behind `express.json()`, where it must not be. */
  readonly parsedUrl: string;
  readonly webhooks: WebhookHandler;
  /** The ids of the events that a handler ran for, one for each run. */
  readonly runs: readonly string[];
  close(): void;
}

/** A real receiver: an Express application on a free port. */
export async function startReceiver(): Promise<Receiver> {
  const runs: string[] = [];
  const webhooks = new WebhookHandler({ secret: SECRET, logger: silent, retry: { baseMs: 20 } });

  webhooks.on('*', function work({ id }, { attempt }) {
    runs.push(id);
    if (id === FLAKY_ID && attempt === 1) throw new Error('The mail server is restarting.');
  });

  const app = express();
  app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
  app.use(express.json());
  app.post('/behind-a-parser', toExpressHandler(webhooks));

  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/webhooks/pathfinder`,
    parsedUrl: `${origin}/behind-a-parser`,
    webhooks,
    runs,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

// The report shows what there is to see.
const silent = { debug() {}, info() {}, warn() {}, error() {} };
