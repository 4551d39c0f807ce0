import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { importBuilt } from './built.ts';
import { SECRET, verifyAsUsual } from './usual.ts';

/** One receiver in a process of its own; `GET /cpu` tells the CPU time it has used, in microseconds. */
const app = express();
app.get('/cpu', (_, response) => {
  const { user, system } = process.cpuUsage();
  response.json(user + system);
});
if (process.argv[2] === 'usual') {
  app.post('/webhooks', express.raw({ type: 'application/json' }), (request, response) => {
    const good = verifyAsUsual(request.body, String(request.headers['x-pathfinder-signature']), SECRET);
    response.status(good ? 200 : 401).send('OK');
  });
} else {
  const { WebhookHandler } = await importBuilt();
  const { toExpressHandler } = (await import(
    new URL('../dist/express.js', import.meta.url).href
  )) as typeof import('@pathfinder/webhooks/express');
  const webhooks = new WebhookHandler({ secret: SECRET });
  webhooks.on('user.created', () => undefined);
  app.post('/webhooks', toExpressHandler(webhooks));
}
const server = createServer(app).listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port);
});
