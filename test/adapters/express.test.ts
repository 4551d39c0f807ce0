import type { IncomingMessage } from 'node:http';
import { WebhookHandler, type WebhookReceiver } from '@pathfinder/webhooks';
import { toExpressHandler, webhookMiddleware } from '@pathfinder/webhooks/express';
import compression from 'compression';
import express5, { type RequestHandler } from 'express';
// @ts-expect-error: an alias of Express 4, for which there are no types of its own
import express4 from 'express4';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bodyOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { byteCases } from './byte-cases.ts';
import { accepted, forged, type ParserTrait, refused, signed } from './harness.ts';
import { listen, listenAt } from './listen.ts';
import { describeAdapter } from './matrix.ts';
import { headOf, openRaw, type RawReply, sendRaw } from './raw-client.ts';

type Framework = typeof express5;
interface Parser extends ParserTrait {
  readonly make: (express: Framework) => readonly RequestHandler[];
}

const PATH = '/webhooks/pathfinder';
const isJson = (type?: string) => type?.startsWith('application/json') ?? false;
const isForm = (type?: string) => type === 'application/x-www-form-urlencoded';
const keep = (asText: boolean) => (request: object, _: unknown, bytes: Buffer) => {
  Object.assign(request, { rawBody: asText ? bytes.toString() : bytes });
};

const parsers: readonly Parser[] = [
  { name: 'express.json()', takes: isJson, keepsBytes: false, make: (e) => [e.json()] },
  { name: 'express.json(), twice', takes: isJson, keepsBytes: false, make: (e) => [e.json(), e.json()] },
  {
    name: 'express.json({ verify }) with bytes',
    takes: isJson,
    keepsBytes: true,
    make: (e) => [e.json({ verify: keep(false) })],
  },
  {
    name: 'express.json({ verify }) with text',
    takes: isJson,
    keepsBytes: true,
    make: (e) => [e.json({ verify: keep(true) })],
  },
  { name: 'express.urlencoded()', takes: isForm, keepsBytes: false, make: (e) => [e.urlencoded({ extended: true })] },
  { name: 'express.text()', takes: () => true, keepsBytes: false, make: (e) => [e.text({ type: () => true })] },
  { name: 'express.raw() for JSON', takes: isJson, keepsBytes: true, make: (e) => [e.raw({ type: isJsonRequest })] },
  { name: 'express.raw() for all', takes: () => true, keepsBytes: true, make: (e) => [e.raw({ type: () => true })] },
  { name: 'express.raw(), then express.json()', takes: isJson, keepsBytes: true, make: (e) => [e.raw(all), e.json()] },
  {
    name: 'a wait',
    takes: () => false,
    keepsBytes: true,
    make: () => [(_request, _response, next) => setImmediate(next)],
  },
];

const all = { type: () => true };
function isJsonRequest(request: IncomingMessage): boolean {
  return isJson(request.headers['content-type']);
}

for (const [name, express] of [
  ['express 5', express5],
  ['express 4', express4 as unknown as Framework],
] as const) {
  const build = (mount: (app: express5.Express, handler: RequestHandler) => unknown) => {
    return (webhooks: WebhookReceiver, { parser }: { readonly parser?: string | undefined }) => {
      const app = express();
      for (const middleware of parsers.find((one) => one.name === parser)?.make(express) ?? []) app.use(middleware);
      mount(app, toExpressHandler(webhooks));
      // Parsers behind the route are none of its business.
      app.use(express.json(), express.urlencoded({ extended: true }));
      return listenAt(PATH, app);
    };
  };

  describeAdapter(
    `${name}, app.use`,
    build((app, handler) => app.use(PATH, handler)),
    { parsers },
  );
  describeAdapter(
    `${name}, app.post`,
    build((app, handler) => app.post(PATH, handler)),
    { parsers },
    byteCases({ parsers }),
  );
  describeAdapter(
    `${name}, a sub-app`,
    build((app, handler) => app.use('/webhooks', express().post('/pathfinder', handler))),
    { parsers },
    byteCases({ parsers }),
  );
  describeAdapter(
    `${name}, a router`,
    build((app, handler) => app.use('/webhooks', express.Router().post('/pathfinder', handler))),
    { parsers },
    byteCases({ parsers }),
  );

  describe(`${name} adapter`, () => {
    async function serve(mount: (app: express5.Express) => unknown) {
      const app = express();
      mount(app);
      const { origin, close } = await listen(app);
      onTestFinished(close);
      return origin;
    }

    it('passes the route parameters and the whole URL to the secret function', async () => {
      const heads: unknown[] = [];
      const webhooks = new WebhookHandler({
        secret: ({ params, url, method }) => {
          heads.push({ params, url, method });
          return { secret: SECRET, tenant: params?.tenant ?? '' };
        },
      });
      const tenants: unknown[] = [];
      webhooks.on('*', (_, { tenant }) => tenants.push(tenant));
      const router = express.Router().post('/:tenant/hook', toExpressHandler(webhooks));
      const origin = await serve((app) => app.use('/api', router));
      expect(await sendRaw(`${origin}/api/acme/hook`, signed(bodyOf()))).toEqual(accepted('processed', 1));
      expect(await sendRaw(`${origin}/api/evil/hook`, forged(bodyOf()))).toEqual(refused('invalid_signature'));
      expect(heads).toEqual([
        { params: { tenant: 'acme' }, url: '/api/acme/hook', method: 'POST' },
        { params: { tenant: 'evil' }, url: '/api/evil/hook', method: 'POST' },
      ]);
      expect(tenants).toEqual(['acme']);
    });

    it('joins the segments of a wildcard parameter with slashes', async () => {
      const paths: unknown[] = [];
      const webhooks = new WebhookHandler({
        secret: ({ params }) => {
          paths.push(Object.values(params ?? {}));
          return { secret: SECRET, tenant: 't' };
        },
      });
      const wildcard = name === 'express 5' ? '/hooks/*rest' : '/hooks/*';
      const origin = await serve((app) => app.post(wildcard, toExpressHandler(webhooks)));
      expect(await sendRaw(`${origin}/hooks/a/b`, signed(bodyOf()))).toEqual(accepted('unhandled'));
      expect(paths).toEqual([['a/b']]);
    });

    it('keeps its response intact behind middleware that wraps writeHead', async () => {
      const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger() });
      const origin = await serve((app) => {
        app.use(compression({ threshold: 0 }));
        app.post(PATH, toExpressHandler(webhooks));
      });
      const vary = ({ headers, ...reply }: RawReply) => ({
        ...reply,
        headers: { ...headers, vary: 'Accept-Encoding' },
      });
      expect(await sendRaw(origin + PATH, signed(bodyOf()))).toEqual(vary(accepted('unhandled')));
      expect(await sendRaw(origin + PATH, forged(bodyOf()))).toEqual(vary(refused('invalid_signature')));
    });

    it('responds correctly next to other headers and routes of the application', async () => {
      const webhooks = new WebhookHandler(SECRET);
      const origin = await serve((app) => {
        app.use((_request, response, next) => {
          response.setHeader('x-request-id', '7');
          next();
        });
        app.post(PATH, toExpressHandler(webhooks));
        app.post('/other', express.json(), (request, response) => void response.json({ got: request.body }));
      });
      const { headers, ...reply } = accepted('unhandled');
      expect(await sendRaw(origin + PATH, signed(bodyOf()))).toEqual({
        ...reply,
        headers: { ...headers, 'x-request-id': '7' },
      });
      const other = await sendRaw(`${origin}/other`, {
        pieces: [Buffer.from('{"a":1}')],
        headers: [['content-type', 'application/json']],
      });
      expect(other.body).toBe('{"got":{"a":1}}');
    });

    it('writes nothing and runs no handler when another middleware has already responded', async () => {
      const errors: unknown[] = [];
      const webhooks = new WebhookHandler(SECRET);
      const origin = await serve((app) => {
        app.use((_request, response, next) => {
          response.status(418).send('teapot');
          next();
        });
        app.post(PATH, toExpressHandler(webhooks), () => errors.push('next'));
        app.use(((error, _request, _response, _next) => errors.push(error)) as express5.ErrorRequestHandler);
      });
      expect((await sendRaw(origin + PATH, signed(bodyOf()))).body).toBe('teapot');
      expect((await sendRaw(origin + PATH, forged(bodyOf()))).body).toBe('teapot');
      expect(errors).toEqual([]);
    });

    it("passes an error that a patched response throws to the application's error handler", async () => {
      const webhooks = new WebhookHandler(SECRET);
      const origin = await serve((app) => {
        app.use((_request, response, next) => {
          const { writeHead } = response;
          response.writeHead = () => {
            response.writeHead = writeHead;
            throw new Error('patched badly');
          };
          next();
        });
        app.post(PATH, toExpressHandler(webhooks));
        app.use(((error, _request, response, _next) => {
          response.status(500).send(error.message);
        }) as express5.ErrorRequestHandler);
      });
      const { status, body } = await sendRaw(origin + PATH, signed(bodyOf()));
      expect([status, body]).toEqual([500, 'patched badly']);
    });
  });

  describe(`${name} webhookMiddleware`, () => {
    async function serve(before: readonly RequestHandler[] = [], after: readonly RequestHandler[] = []) {
      const logger = recordingLogger();
      const webhooks = new WebhookHandler({ secret: SECRET, logger, maxBodyBytes: 1000, bodyTimeoutMs: 100 });
      let runs = 0;
      let passed = 0;
      webhooks.on('*', () => void runs++);
      const app = express();
      for (const middleware of before) app.use(middleware);
      app.use(PATH, webhookMiddleware(webhooks), ...after, (request, response) => {
        passed++;
        response.json({ id: request.webhookEvent?.id });
      });
      const { url, close } = await listenAt(PATH, app);
      onTestFinished(close);
      return { url, counts: () => ({ runs, passed }) };
    }

    it('passes each verified delivery on with its event, duplicates included, and runs no handler', async () => {
      const { url, counts } = await serve();
      for (let i = 0; i < 2; i++) {
        const { status, body } = await sendRaw(url, signed(bodyOf()));
        expect([status, body]).toEqual([200, '{"id":"evt_1"}']);
      }
      expect(counts()).toEqual({ runs: 0, passed: 2 });
    });

    it.each(['json', 'text', 'raw', 'urlencoded'] as const)(
      'works in front of express.%s() and leaves its parsing alone',
      async (kind) => {
        const { url, counts } = await serve([], [express[kind]({ type: () => true })]);
        const { status, body } = await sendRaw(url, signed(bodyOf()));
        expect([status, body, counts()]).toEqual([200, '{"id":"evt_1"}', { runs: 0, passed: 1 }]);
      },
    );

    it('rejects what the handler rejects, with the same response, and calls no later middleware', async () => {
      const { url, counts } = await serve();
      const replies = [
        await sendRaw(url, forged(bodyOf())),
        await sendRaw(url, { pieces: [bodyOf()] }),
        await sendRaw(url, signed(Buffer.from('{'))),
        await sendRaw(url, signed(Buffer.alloc(1001))),
        await sendRaw(url, signed(bodyOf(), { headers: [['content-encoding', 'gzip']] })),
        await sendRaw(url, { method: 'GET' }),
      ];
      expect(replies).toEqual([
        refused('invalid_signature'),
        refused('invalid_signature'),
        refused('invalid_json'),
        refused('body_too_large'),
        refused('unsupported_encoding'),
        refused('method_not_allowed'),
      ]);
      const connection = await openRaw(url);
      await connection.write(headOf(url, signed(bodyOf())));
      expect(await connection.reply()).toEqual(refused('body_timeout'));
      connection.destroy();
      expect(counts()).toEqual({ runs: 0, passed: 0 });
    });

    it('rejects a body that was parsed before the route', async () => {
      const { url, counts } = await serve([express.json()]);
      const headers = [['content-type', 'application/json']] as const;
      expect(await sendRaw(url, signed(bodyOf(), { headers }))).toEqual(refused('body_already_parsed'));
      expect(counts()).toEqual({ runs: 0, passed: 0 });
    });

    it('leaves errors thrown by a later route handler to the application', async () => {
      const webhooks = new WebhookHandler(SECRET);
      const app = express();
      app.post(PATH, webhookMiddleware(webhooks), () => {
        throw new Error('later');
      });
      app.use(((error, _request, response, _next) => {
        response.status(500).send(error.message);
      }) as express5.ErrorRequestHandler);
      const { url, close } = await listenAt(PATH, app);
      onTestFinished(close);
      const { status, body } = await sendRaw(url, signed(bodyOf()));
      expect([status, body]).toEqual([500, 'later']);
      expect((await sendRaw(url, { headers: [['x-pathfinder-signature', sign('{}')]] })).status).toBe(401);
    });
  });
}
