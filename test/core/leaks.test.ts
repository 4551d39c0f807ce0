import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { WebhookHandler } from '@pathfinder/webhooks';
import { expect, it } from 'vitest';
import { bodyOf, deliveryOf, recordingLogger, sign } from '../support/deliver.ts';

it('secret, signature, body and handler errors never appear in responses, logs or inspection', async () => {
  const secret = randomBytes(20).toString('hex');
  const canary = `body-${randomBytes(8).toString('hex')}`;
  const failure = `failure-${randomBytes(8).toString('hex')}`;
  const logger = recordingLogger();
  const webhooks = new WebhookHandler({ secret, logger, retry: { attempts: 1 }, validation: 'report' });
  webhooks.on('user.updated', () => Promise.reject(new Error(failure)));
  const bodies = [
    bodyOf({ extra: canary, data: { user: { id: canary, username: 1 } } }),
    bodyOf({ extra: canary, type: 'user.updated', data: { user: { id: canary } } }),
    Buffer.from(`{"id":"${canary}`),
    bodyOf({ id: canary.repeat(20) }),
    bodyOf({ extra: canary, type: 'user.updated', created: 7 }),
  ];
  const everything: unknown[] = [];
  const replies: string[] = [];
  for (const body of bodies) {
    for (const signature of [sign(body, secret), sign(body, 'x'.repeat(40)), `sha256=${canary}`, undefined]) {
      for (const method of ['POST', 'GET']) {
        replies.push(JSON.stringify(await webhooks.receive(deliveryOf(body, { signature, method }))));
      }
      // The documented route sends the message of whatever `handle` throws.
      const route = await webhooks.handle(body, signature).then(
        (result) => JSON.stringify({ success: true, ...result }),
        (error: Error) => {
          everything.push(error, error.stack, error.cause, JSON.stringify(error), Object.keys(error));
          return JSON.stringify({ success: false, error: error.message });
        },
      );
      replies.push(route);
    }
  }
  const shown = inspect([everything, webhooks, webhooks.metrics.getStats(), logger.lines], {
    depth: 9,
    showHidden: true,
  });
  const all = replies.join('\n') + shown + JSON.stringify([webhooks, webhooks.metrics, logger.lines]);
  expect(replies.filter((reply) => reply.includes(failure))).toEqual([]);
  expect(all).toContain(failure);
  for (const word of [secret, canary, ...bodies.map((body) => sign(body, secret).slice(7))])
    expect(all).not.toContain(word);
  expect(replies.some((reply) => reply.includes('"status":500'))).toBe(true);
});
