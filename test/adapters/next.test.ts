import type { IncomingMessage, RequestListener } from 'node:http';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNextApiHandler, toNextRoute } from '@pathfinder/webhooks/next';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bodyOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { apiListener, throughProxy, webListener } from './bridges.ts';
import { accepted, forged, type ParserTrait, refused, signed } from './harness.ts';
import { listenAt } from './listen.ts';
import { describeAdapter } from './matrix.ts';
import { sendRaw } from './raw-client.ts';

const PATH = '/api/webhooks/pathfinder';
const always = () => true;
const apiParsers: readonly ParserTrait[] = [{ name: "Next's own body parser", takes: always, keepsBytes: false }];

describeAdapter('next, App Router', (webhooks) => listenAt(PATH, webListener(toNextRoute(webhooks))), {});

describeAdapter(
  'next, Pages Router',
  (webhooks, { parser }) => listenAt(PATH, apiListener(toNextApiHandler(webhooks), parser !== undefined)),
  { parsers: apiParsers },
);

describe("Next.js adapter, for a body that Next's proxy truncated", () => {
  const body = bodyOf({ data: { text: 'x'.repeat(2000) } });

  it.each([
    ['App Router', (webhooks: WebhookHandler) => cutWeb(toNextRoute(webhooks))],
    ['Pages Router', (webhooks: WebhookHandler) => cutApi(toNextApiHandler(webhooks))],
  ] as const)('distinguishes a truncated body from a forgery and logs the fix: %s', async (_, mount) => {
    const logger = recordingLogger();
    const { url, close } = await listenAt(PATH, mount(new WebhookHandler({ secret: SECRET, logger })));
    onTestFinished(close);
    expect(await sendRaw(url, signed(body))).toEqual(refused('body_already_parsed'));
    expect(JSON.stringify(logger.lines)).toContain('a proxy cut it');
  });

  it.each([
    ['App Router', (webhooks: WebhookHandler) => uncutWeb(toNextRoute(webhooks))],
    ['Pages Router', (webhooks: WebhookHandler) => uncutApi(toNextApiHandler(webhooks))],
  ] as const)('accepts a body that the proxy left whole: %s', async (_, mount) => {
    const { url, close } = await listenAt(PATH, mount(new WebhookHandler({ secret: SECRET })));
    onTestFinished(close);
    expect(await sendRaw(url, signed(body))).toEqual(accepted('unhandled'));
    expect(await sendRaw(url, forged(body))).toEqual(refused('invalid_signature'));
  });
});

it('the App Router route sends the length of its response, so that Next does not chunk it', async () => {
  const route = toNextRoute(new WebhookHandler(SECRET));
  const responses = await Promise.all(
    [sign(bodyOf()), sign(bodyOf(), 'a guess')].map((signature) =>
      route(
        new Request(`http://localhost${PATH}`, {
          method: 'POST',
          body: Uint8Array.from(bodyOf()),
          headers: { 'x-pathfinder-signature': signature },
        }),
      ),
    ),
  );
  const shown = responses.map(async (response) => [
    response.status,
    response.headers.get('content-length'),
    String((await response.arrayBuffer()).byteLength),
  ]);
  expect(await Promise.all(shown)).toEqual([
    [200, '62', '62'],
    [401, '45', '45'],
  ]);
});

it('next passes path segments and the query to the secret function', async () => {
  const seen: unknown[] = [];
  const webhooks = new WebhookHandler({
    secret: ({ params }) => {
      seen.push(params);
      return { secret: SECRET, tenant: 'acme' };
    },
  });
  const body = bodyOf();
  const init = { method: 'POST', body, headers: { 'x-pathfinder-signature': sign(body) } };
  const request = new Request(`http://localhost${PATH}`, init);
  expect((await toNextRoute(webhooks)(request, { params: Promise.resolve({ tenant: 'acme' }) })).status).toBe(200);
  const api = toNextApiHandler(webhooks);
  const withQuery = (incoming: IncomingMessage) => Object.assign(incoming, { query: { tenant: 'acme' } });
  const { url, close } = await listenAt(PATH, (incoming, outgoing) => void api(withQuery(incoming), outgoing));
  onTestFinished(close);
  expect((await sendRaw(url, signed(body))).status).toBe(200);
  expect(seen).toEqual([{ tenant: 'acme' }, { tenant: 'acme' }]);
});

function cutWeb(route: (request: Request) => Promise<Response>, maxBytes = 100): RequestListener {
  const listener = webListener(route);
  return async (incoming, outgoing) => listener(await throughProxy(incoming, maxBytes), outgoing as never);
}

function cutApi(handle: ReturnType<typeof toNextApiHandler>, maxBytes = 100): RequestListener {
  return async (incoming, outgoing) => handle(await throughProxy(incoming, maxBytes), outgoing);
}

const uncutWeb = (route: (request: Request) => Promise<Response>) => cutWeb(route, 10_000);
const uncutApi = (handle: ReturnType<typeof toNextApiHandler>) => cutApi(handle, 10_000);
