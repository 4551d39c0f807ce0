import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler, webhookMiddleware } from '@pathfinder/webhooks/express';
import express5, { type Express, type RequestHandler } from 'express';
// @ts-expect-error: an alias of Express 4, for which there are no types of its own
import express4 from 'express4';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answered, bodyOf, HEADERS, recordingLogger, refused, SECRET, sign } from '../support/deliver.ts';
import { listen } from './listen.ts';
import { describeAdapter } from './matrix.ts';
import { sendRaw } from './raw-client.ts';

type Framework = typeof express5;

const frameworks: readonly (readonly [string, Framework])[] = [
  ['express 5', express5],
  ['express 4', express4 as unknown as Framework],
];

for (const [name, express] of frameworks) {
  describeAdapter(name, (webhooks) => listen(express().all('/webhooks', toExpressHandler(webhooks))));
  describe(`${name} and other parsers`, () => {
    async function serve(
      before: readonly RequestHandler[],
      mount: (app: Express, webhooks: WebhookHandler) => void = mountPost,
    ) {
      const logger = recordingLogger();
      const webhooks = new WebhookHandler({ secret: SECRET, logger });
      webhooks.on('*', () => undefined);
      const app = express();
      for (const middleware of before) app.use(middleware);
      mount(app, webhooks);
      const { port, close } = await listen(app);
      onTestFinished(close);
      const send = (type: string, body: Uint8Array = bodyOf(), path = '/webhooks') =>
        sendRaw(port, {
          path,
          chunks: [body],
          headers: [
            ['content-type', type],
            ['x-pathfinder-signature', sign(body)],
          ],
        });
      return { send, logger, port };
    }

    function mountPost(app: Express, webhooks: WebhookHandler): void {
      app.post('/webhooks', toExpressHandler(webhooks));
    }

    it('answers at once that the body was parsed, and logs cause and cure', async () => {
      for (const parser of [express.json(), express.text({ type: '*/json' })]) {
        const { send, logger } = await serve([parser]);
        expect(await send('application/json')).toEqual(refused(500, 'body_already_parsed'));
        expect(logger.lines.map(({ level, message }) => [level, message.slice(0, 90)])).toEqual([
          ['error', 'The body was parsed before the webhook route, so its signed bytes are gone. Mount the rout'],
        ]);
      }
    });

    it('reads the stream where a parser skipped the content type', async () => {
      const { send } = await serve([express.json(), express.urlencoded({ extended: false })]);
      expect(await send('text/plain')).toEqual(answered('processed', 1));
    });

    it('takes the bytes that express.raw() kept, and holds them to its own limit', async () => {
      const { send } = await serve([express.raw({ type: () => true, limit: '5mb' })]);
      expect(await send('application/json')).toEqual(answered('processed', 1));
      expect(await send('text/plain', Buffer.alloc(1_048_577, ' '))).toEqual(refused(413, 'body_too_large'));
    });

    it('takes the bytes that the verify callback of a parser kept', async () => {
      const keep = express.json({
        verify: (request, _, bytes) => {
          Object.assign(request, { rawBody: bytes });
        },
      });
      const { send } = await serve([keep]);
      expect(await send('application/json')).toEqual(answered('processed', 1));
    });

    it('takes a rawBody that is text', async () => {
      const keep = express.json({
        verify: (request, _, bytes) => {
          Object.assign(request, { rawBody: bytes.toString() });
        },
      });
      const { send } = await serve([keep]);
      expect(await send('application/json')).toEqual(answered('processed', 1));
    });

    it('leaves the parsers of later routes alone', async () => {
      const { port } = await serve([], (app, webhooks) => {
        mountPost(app, webhooks);
        app.use(express.json());
        app.post('/other', (request, response) => void response.json({ got: request.body }));
      });
      const response = await fetch(`http://127.0.0.1:${port}/other`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a":1}',
      });
      expect(await response.json()).toEqual({ got: { a: 1 } });
    });

    it.each(['/WEBHOOKS', '/webhooks/', '//webhooks', '/web%68ooks', 'http://evil.example/webhooks', '/webhooks?x=1'])(
      'verifies on the path %s, or does not route it',
      async (path) => {
        const { port } = await serve([]);
        const forged = await sendRaw(port, {
          path,
          chunks: [bodyOf()],
          headers: [['x-pathfinder-signature', sign(bodyOf(), 'x')]],
        });
        expect([401, 404]).toContain(forged?.status);
      },
    );

    it('heeds no header that claims somebody else has checked', async () => {
      const { port } = await serve([]);
      for (const name of ['x-middleware-subrequest', 'x-forwarded-user', 'x-original-url', 'x-http-method-override']) {
        const reply = await sendRaw(port, { chunks: [bodyOf()], headers: [[name, '/webhooks']] });
        expect(reply).toEqual(refused(401, 'invalid_signature'));
      }
    });

    it('gives middleware a verified event, and forgeries the same reply', async () => {
      const { send, port } = await serve([], (app, webhooks) => {
        app.post('/webhooks', webhookMiddleware(webhooks), (request, response) => {
          response.json({ type: request.webhookEvent?.type });
        });
      });
      const reply = await send('application/json');
      expect({ status: reply?.status, body: reply?.body }).toEqual({ status: 200, body: '{"type":"user.created"}' });
      expect((await send('application/json'))?.status).toBe(200);
      const forged = await sendRaw(port, {
        chunks: [bodyOf()],
        headers: [['x-pathfinder-signature', sign('another')]],
      });
      expect(forged).toEqual(refused(401, 'invalid_signature'));
    });

    it.each([undefined, 'production'])('shows nothing of a handler error with NODE_ENV %s', async (environment) => {
      const before = process.env.NODE_ENV;
      process.env.NODE_ENV = environment;
      onTestFinished(() => void Object.assign(process.env, { NODE_ENV: before }));
      const { send } = await serve([], (app) => {
        const failing = new WebhookHandler({ secret: SECRET, logger: recordingLogger(), retry: { attempts: 1 } });
        failing.on('*', () => Promise.reject(new Error('hunter2')));
        mountPost(app, failing);
      });
      expect(await send('application/json')).toEqual({ ...answered('failed', 1, 1, 500), headers: HEADERS });
    });
  });
}
