import { WebhookHandler, type WebhookLogger } from '@pathfinder/webhooks';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bodyOf, recordingLogger, SECRET } from '../support/deliver.ts';
import { byteCases } from './byte-cases.ts';
import { accepted, forged, type Mount, type ParserTrait, refused, signed } from './harness.ts';
import { describeAdapter } from './matrix.ts';
import { sendRaw } from './raw-client.ts';

const PATH = '/webhooks/pathfinder';

interface Own extends ParserTrait {
  readonly set: (app: FastifyInstance) => unknown;
}

// Parsers and hooks of the application, none of which reaches into the plugin.
const parsers: readonly Own[] = [
  {
    name: 'a JSON parser of the application',
    takes: () => true,
    keepsBytes: true,
    set: (app) =>
      app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_: unknown, body: string) => ({
        mine: JSON.parse(body),
      })),
  },
  {
    name: 'a parser of the application for everything',
    takes: () => true,
    keepsBytes: true,
    set: (app) => app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body)),
  },
  {
    name: 'a hook that kept rawBody',
    takes: () => true,
    keepsBytes: true,
    set: (app) =>
      app.addHook('onRequest', async (request) => {
        Object.assign(request, { rawBody: Buffer.concat(await request.raw.toArray()) });
      }),
  },
  {
    name: 'a platform that kept rawBody on the request itself',
    takes: () => true,
    keepsBytes: true,
    set: (app) =>
      app.addHook('onRequest', async ({ raw }) => {
        Object.assign(raw, { rawBody: Buffer.concat(await raw.toArray()) });
      }),
  },
  {
    name: 'a hook that reads the stream',
    takes: () => true,
    keepsBytes: false,
    set: (app) =>
      app.addHook('onRequest', async ({ raw }) => {
        await raw.toArray();
      }),
  },
];

async function serve(app: FastifyInstance): Promise<string> {
  onTestFinished(() => app.close());
  return app.listen({ port: 0, host: '127.0.0.1' });
}

const mount: Mount = async (webhooks, { parser, logger }) => {
  const app = fastify({ forceCloseConnections: true, loggerInstance: requestLogger(logger) });
  parsers.find(({ name }) => name === parser)?.set(app);
  app.register(toFastifyPlugin(webhooks), { prefix: PATH });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url: origin + PATH, close: () => app.close() };
};

describeAdapter('fastify', mount, { parsers });
describeAdapter(
  'fastify, under its own JSON parser',
  (webhooks, options) => mount(webhooks, { ...options, parser: 'a JSON parser of the application' }),
  {},
  byteCases({}),
);

// Drops what Fastify itself logs at info and below: the cases count only what is said of a delivery.
function requestLogger({ warn, error }: WebhookLogger): FastifyBaseLogger {
  const silent = () => undefined;
  const logger = { level: 'info', warn, error, silent, fatal: silent, info: silent, debug: silent, trace: silent };
  return Object.assign(logger, { child: () => requestLogger(logger) }) as unknown as FastifyBaseLogger;
}

describe('fastify adapter', () => {
  it.each(parsers.slice(0, 2))('leaves other routes of an application with $name unchanged', async ({ set }) => {
    const app = fastify();
    set(app);
    app.register(toFastifyPlugin(new WebhookHandler(SECRET)), { prefix: PATH });
    app.post('/other', (request) => ({ got: request.body }));
    const bare = fastify();
    set(bare);
    bare.post('/other', (request) => ({ got: request.body }));
    const request = {
      method: 'POST',
      url: '/other',
      headers: { 'content-type': 'application/json' },
      payload: '{"a":1}',
    } as const;
    expect((await app.inject(request)).body).toBe((await bare.inject(request)).body);
    expect((await app.inject({ ...request, payload: '{' })).statusCode).toBe(
      (await bare.inject({ ...request, payload: '{' })).statusCode,
    );
  });

  it('keeps JSON parsing and its errors on other routes of the application', async () => {
    const app = fastify();
    app.register(toFastifyPlugin(new WebhookHandler(SECRET)), { prefix: PATH });
    app.post('/other', (request) => ({ got: request.body }));
    const post = (type: string) =>
      app.inject({ method: 'POST', url: '/other', headers: { 'content-type': type }, payload: '{"a":1}' });
    expect((await post('application/json')).json()).toEqual({ got: { a: 1 } });
    expect((await post('application/x-unheard-of')).statusCode).toBe(415);
  });

  it("logs a rejection to the request's logger and handler runs to the handler's logger", async () => {
    const lines: { reqId?: string; msg?: string; code?: string }[] = [];
    const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
    const app = fastify({ logger: { level: 'warn', stream } });
    const logger = recordingLogger();
    const webhooks = new WebhookHandler({ secret: SECRET, logger, retry: { attempts: 1 } });
    webhooks.on('*', () => Promise.reject(new Error('hunter2')));
    app.addHook('onRequest', async ({ raw, headers }) => {
      if (headers['x-read']) await raw.toArray();
    });
    app.register(toFastifyPlugin(webhooks), { prefix: PATH });
    const url = (await serve(app)) + PATH;
    expect(await sendRaw(url, signed(bodyOf(), { headers: [['x-read', '1']] }))).toEqual(
      refused('body_already_parsed'),
    );
    expect(await sendRaw(url, signed(Buffer.from('{')))).toEqual(refused('invalid_json'));
    expect(await sendRaw(url, forged(bodyOf()))).toEqual(refused('invalid_signature'));
    expect(logger.lines).toEqual([]);
    expect(lines.map(({ reqId, msg, code }) => [reqId, code, msg])).toEqual([
      ['req-1', 'body_already_parsed', expect.stringContaining('Mount the route before express.json()')],
      ['req-2', undefined, 'A verified webhook delivery has a problem'],
    ]);
    expect(await sendRaw(url, signed(bodyOf()))).toEqual(accepted('failed', 1, 1));
    expect(logger.lines.map(({ message }) => message)).toEqual(['A webhook handler failed']);
    expect(lines).toHaveLength(2);
  });

  it('passes the prefix parameters and the whole URL to the secret function', async () => {
    const heads: unknown[] = [];
    const webhooks = new WebhookHandler({
      secret: ({ params, url, method }) => {
        heads.push({ params, url, method });
        return { secret: SECRET, tenant: params?.tenant ?? '' };
      },
    });
    const app = fastify();
    app.register(toFastifyPlugin(webhooks), { prefix: '/api/:tenant/hook' });
    const origin = await serve(app);
    expect(await sendRaw(`${origin}/api/acme/hook?x=1`, signed(bodyOf(), { target: '/api/acme/hook?x=1' }))).toEqual(
      accepted('unhandled'),
    );
    expect(heads).toEqual([{ params: { tenant: 'acme' }, url: '/api/acme/hook?x=1', method: 'POST' }]);
  });
});
