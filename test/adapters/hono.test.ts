import { getRequestListener } from '@hono/node-server';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toHonoHandler, webhookMiddleware } from '@pathfinder/webhooks/hono';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { Hono, type HonoRequest } from 'hono';
import { Hono as Hono49 } from 'hono49';
import { expect, it, onTestFinished } from 'vitest';
import { bodyOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { byteCases } from './byte-cases.ts';
import { type ParserTrait, refused, signed } from './harness.ts';
import { listenAt } from './listen.ts';
import { describeAdapter } from './matrix.ts';
import { sendRaw } from './raw-client.ts';

const PATH = '/webhooks/pathfinder';

const isForm = (type?: string) => type === 'application/x-www-form-urlencoded';

interface Before extends ParserTrait {
  readonly read: (request: HonoRequest) => Promise<unknown>;
}

// Middleware that has read the body before, whatever it made of it.
const parsers: readonly Before[] = [
  { name: 'c.req.json()', takes: () => true, keepsBytes: true, read: (request) => request.json() },
  { name: 'c.req.text()', takes: () => true, keepsBytes: true, read: (request) => request.text() },
  { name: 'c.req.arrayBuffer()', takes: () => true, keepsBytes: true, read: (request) => request.arrayBuffer() },
  { name: 'c.req.blob()', takes: () => true, keepsBytes: true, read: (request) => request.blob() },
  { name: 'c.req.parseBody()', takes: isForm, keepsBytes: true, read: (request) => request.parseBody() },
  { name: 'c.req.raw.text()', takes: () => true, keepsBytes: false, read: ({ raw }) => raw.text() },
  { name: 'c.req.raw.body', takes: () => true, keepsBytes: false, read: async ({ raw }) => raw.body?.getReader() },
];

const versions = [
  { name: 'hono', create: () => new Hono(), parsers },
  {
    name: 'hono 4.9, the oldest that is supported',
    create: () => new Hono49() as unknown as Hono,
    // Of a form it keeps what it made of it, and not the bytes.
    parsers: parsers.map((one) => (one.name === 'c.req.parseBody()' ? { ...one, keepsBytes: false } : one)),
  },
];

for (const { name, create, parsers } of versions) {
  describeAdapter(
    name,
    (webhooks, { parser }) => {
      const app = create();
      const before = parsers.find(({ name }) => name === parser);
      if (before) {
        app.use(async (c, next) => {
          await before.read(c.req);
          await next();
        });
      }
      app.all(PATH, toHonoHandler(webhooks));
      return listenAt(PATH, getRequestListener(app.fetch));
    },
    { methodsOfTheRouter: ['HEAD'], parsers },
  );

  it.each(['announced', 'of a length unknown'])(
    `${name} leaves a body that was %s readable for routes behind webhookMiddleware`,
    async (length) => {
      const app = create().post(PATH, webhookMiddleware(new WebhookHandler({ secret: SECRET })), async (c) => {
        return c.json([await c.req.json(), await c.req.text(), (await c.req.arrayBuffer()).byteLength]);
      });
      const body = bodyOf();
      const sent = request(body);
      if (length === 'announced') sent.headers.set('content-length', String(body.length));
      const reply = await app.request(sent);
      expect(await reply.json()).toEqual([JSON.parse(body.toString()), body.toString(), body.length]);
    },
  );

  it(`${name} leaves an announced body readable for middleware that reads it after toHonoHandler has responded`, async () => {
    const read: string[] = [];
    const app = create();
    app.use(async (c, next) => {
      await next();
      read.push(await c.req.text());
    });
    app.post(PATH, toHonoHandler(new WebhookHandler({ secret: SECRET })));
    const body = bodyOf();
    const sent = request(body);
    sent.headers.set('content-length', String(body.length));
    expect([(await app.request(sent)).status, read]).toEqual([200, [body.toString()]]);
  });
}

describeAdapter(
  'hono, a sub-app without the global Request of node-server',
  (webhooks) => {
    const app = new Hono().route('/webhooks', new Hono().post('/pathfinder', toHonoHandler(webhooks)));
    return listenAt(PATH, getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  },
  {},
  byteCases({}),
);

it('hono names a body whose byte order mark was dropped by Hono', async () => {
  const logger = recordingLogger();
  const app = new Hono();
  app.use(async (c, next) => {
    await c.req.text();
    await next();
  });
  app.post(PATH, toHonoHandler(new WebhookHandler({ secret: SECRET, logger })));
  const { url, close } = await listenAt(PATH, getRequestListener(app.fetch));
  onTestFinished(close);
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bodyOf()]);
  expect(await sendRaw(url, signed(marked))).toEqual(refused('body_already_parsed'));
  expect(JSON.stringify(logger.lines)).toContain('shorter than its Content-Length');
});

it('hono responds 405 to HEAD, which Hono turns into GET', async () => {
  const app = new Hono().all(PATH, toHonoHandler(new WebhookHandler({ secret: SECRET })));
  const response = await app.request(PATH, { method: 'HEAD' });
  const { status, headers } = refused('method_not_allowed');
  const { 'content-length': _, ...others } = headers;
  expect({
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  }).toEqual({ status, headers: others, body: '' });
});

/** A request with a good signature, or with one of other bytes. */
function request(body: Uint8Array, secret: string = SECRET, signed: Uint8Array = body): Request {
  const headers = { 'content-type': 'application/json', 'x-pathfinder-signature': sign(signed, secret) };
  return new Request(`http://localhost${PATH}`, { method: 'POST', headers, body });
}

it('hono webhookMiddleware passes a verified event to the next handler and rejects a forgery before it', async () => {
  const seen: unknown[] = [];
  const app = new Hono();
  app.post(PATH, webhookMiddleware(new WebhookHandler({ secret: SECRET })), (c) => {
    seen.push(c.var.webhookEvent.id);
    return c.json({ mine: true }, 201);
  });
  const good = await app.request(request(bodyOf({ id: 'evt_mine' })));
  expect([good.status, await good.json()]).toEqual([201, { mine: true }]);
  const forged = await app.request(request(bodyOf({ id: 'evt_forged' }), 'another secret of 32 characters!!'));
  expect([forged.status, await forged.text()]).toEqual([401, refused('invalid_signature').body]);
  expect(seen).toEqual(['evt_mine']);
});

it('hono passes a per-request secret and waitUntil to the handler', async () => {
  const env = { PATHFINDER_WEBHOOK_SECRET: SECRET };
  const behind: Promise<unknown>[] = [];
  const runs: string[] = [];
  const webhooks = new WebhookHandler({
    secret: ({ env: bound }) => ({ secret: (bound as typeof env).PATHFINDER_WEBHOOK_SECRET, tenant: 'mine' }),
    queue: memoryQueue({ allowVolatile: true }),
  });
  webhooks.on('user.created', ({ id }) => void runs.push(id));
  const app = new Hono().post(PATH, toHonoHandler(webhooks));
  const context = {
    waitUntil: (work: Promise<unknown>) => void behind.push(work),
    passThroughOnException: () => undefined,
    props: {},
  };
  const reply = await app.request(request(bodyOf({ id: 'evt_env' })), undefined, env, context);
  await Promise.all(behind);
  expect([reply.status, behind.length > 0, runs]).toEqual([202, true, ['evt_env']]);
  const strange = { PATHFINDER_WEBHOOK_SECRET: 'a secret of someone else, 32 ch' };
  const other = await app.request(request(bodyOf()), undefined, strange, context);
  expect([other.status, runs]).toEqual([401, ['evt_env']]);
});
