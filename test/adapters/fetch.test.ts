import { getRequestListener } from '@hono/node-server';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { expect, it, vi } from 'vitest';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { webListener } from './bridges.ts';
import { listenAt } from './listen.ts';
import { describeAdapter } from './matrix.ts';

const PATH = '/webhooks/pathfinder';
describeAdapter('fetch, @hono/node-server', (webhooks) => listenAt(PATH, getRequestListener(toFetchHandler(webhooks))));
describeAdapter("fetch, Node's Request", (webhooks) => listenAt(PATH, webListener(toFetchHandler(webhooks))));

it('the fetch adapter reads each header once', async () => {
  const body = bodyOf();
  const headers = { 'x-pathfinder-signature': sign(body), 'content-length': String(body.length) };
  const request = new Request(`http://localhost${PATH}`, { method: 'POST', headers, body });
  const asked = vi.spyOn(request.headers, 'get');
  const { status } = await toFetchHandler(new WebhookHandler({ secret: SECRET }))(request);
  const names = asked.mock.calls.flat();
  expect([status, names]).toEqual([200, ['content-encoding', 'content-length', 'x-pathfinder-signature']]);
});
