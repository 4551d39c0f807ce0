import { connect, type Socket } from 'node:net';
import { memoryStore, WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../adapters/listen.ts';
import { bodyOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';

it('five hundred slow senders delay no other delivery and are disconnected', async () => {
  const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger(), bodyTimeoutMs: 1500 });
  webhooks.on('*', () => undefined);
  const { port, close } = await listen(toNodeListener(webhooks));
  onTestFinished(close);
  const head = `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\nx-pathfinder-signature: ${sign(bodyOf())}\r\n\r\n{`;
  const closed: Promise<void>[] = [];
  for (let i = 0; i < 500; i++) {
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(head));
    socket.on('error', () => undefined).resume();
    closed.push(new Promise((resolve) => socket.on('close', () => resolve())));
  }
  const headers = { 'x-pathfinder-signature': sign(bodyOf()) };
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body: bodyOf() });
  expect([response.status, webhooks.metrics.getStats().rejected]).toEqual([200, Object.create(null)]);
  await Promise.all(closed);
  expect({ ...webhooks.metrics.getStats().rejected }).toEqual({ body_timeout: 500 });
});

it('memoryStore keeps at most maxEntries of two hundred thousand ids', async () => {
  const logger = recordingLogger();
  const store = memoryStore({ maxEntries: 1000, logger });
  for (let i = 0; i < 200_000; i++) {
    const claim = await store.claim(`evt_${i}`, { leaseMs: 1000, bodyHash: 'h' });
    if (claim.status === 'acquired') await store.complete(`evt_${i}`, claim.token);
  }
  const kept = await Promise.all(Array.from({ length: 2000 }, (_, i) => store.get(`evt_${198_000 + i}`)));
  expect(kept.filter((row) => row !== undefined)).toHaveLength(1000);
  expect([await store.get('evt_0'), kept.at(-1)?.state, logger.lines.length]).toEqual([undefined, 'done', 1]);
});
