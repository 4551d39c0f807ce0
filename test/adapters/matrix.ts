import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import {
  memoryStore,
  type QueuedDelivery,
  WebhookHandler,
  type WebhookHandlerOptions,
  type WebhookQueue,
  type WebhookReceiver,
  type WebhookStore,
} from '@pathfinder/webhooks';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answered, bodyOf, eventOf, RETRY, recordingLogger, refused, SECRET, sign } from '../support/deliver.ts';
import { chunked, type RawRequest, sendRaw } from './raw-client.ts';

/** Serves a receiver at `/webhooks`. */
export type Mount = (webhooks: WebhookReceiver) => Promise<{ readonly port: number; close(): Promise<void> }>;

type Options = Omit<WebhookHandlerOptions, 'secret'> & { readonly secret?: WebhookHandlerOptions['secret'] };

/** Every outcome of the reply table over a real socket, compared whole. One suite for all adapters. */
export function describeAdapter(name: string, mount: Mount): void {
  async function serve(
    options: Options = {},
    register = (webhooks: WebhookHandler) => webhooks.on('*', () => undefined),
  ) {
    const logger = recordingLogger();
    const webhooks = new WebhookHandler({ secret: SECRET, logger, retry: { baseMs: 1 }, ...options });
    register(webhooks);
    const { port, close } = await mount(webhooks);
    onTestFinished(close);
    return { port, logger, webhooks, send: (request: RawRequest) => sendRaw(port, request) };
  }

  function signed(body: Uint8Array, more: Partial<RawRequest> = {}): RawRequest {
    return { chunks: [body], ...more, headers: [['x-pathfinder-signature', sign(body)], ...(more.headers ?? [])] };
  }

  describe(`${name}: outcomes`, () => {
    it('processes a delivery once and answers its duplicate', async () => {
      const { send } = await serve();
      expect(await send(signed(bodyOf()))).toEqual(answered('processed', 1));
      expect(await send(signed(bodyOf()))).toEqual(answered('duplicate'));
    });

    it('acknowledges an event that nobody handles', async () => {
      const { send } = await serve({}, (webhooks) => webhooks.on('user.deleted', () => undefined));
      expect(await send(signed(bodyOf({ type: 'brand.new' })))).toEqual(answered('unhandled'));
    });

    it('answers 202 once the queue has the event', async () => {
      const kept: QueuedDelivery[] = [];
      const { send } = await serve({
        queue: queueOf(async (delivery) => {
          kept.push(delivery);
          return 'accepted';
        }),
      });
      expect(await send(signed(bodyOf()))).toEqual(answered('queued', 0, 0, 202));
      expect(kept.map(({ body }) => Buffer.from(body))).toEqual([bodyOf()]);
    });

    it('answers 409 for a known id with other bytes', async () => {
      const { send } = await serve();
      await send(signed(bodyOf()));
      expect(await send(signed(bodyOf({ created: 2 })))).toEqual(refused(409, 'id_conflict'));
    });

    it('answers 503 while another worker has the event', async () => {
      const store = storeWith({ claim: async () => ({ status: 'busy', retryAfterMs: 1000 }) });
      const { send } = await serve({ store });
      expect(await send(signed(bodyOf()))).toEqual(refused(503, 'in_progress', RETRY));
    });

    it('answers all bad signatures alike, and runs nothing', async () => {
      let runs = 0;
      const { send } = await serve({}, (webhooks) => webhooks.on('*', () => void runs++));
      const body = bodyOf();
      const unauthorized = refused(401, 'invalid_signature');
      const headers = [
        [],
        [['x-pathfinder-signature', '']],
        [['x-pathfinder-signature', sign(body).toUpperCase()]],
        [['x-pathfinder-signature', sign(body).slice(0, -1)]],
        [['x-pathfinder-signature', `${sign(body)}0`]],
        [['x-pathfinder-signature', sign(body, 'another secret')]],
        [['x-pathfinder-signature', sign(body).slice(7)]],
        [['x-pathfinder-signature', `sha256=${'\u00e9'.repeat(64)}`]],
        [['x-pathfinder-signature', 'sha256='.padEnd(8000, '0')]],
        [
          ['x-pathfinder-signature', sign(body)],
          ['X-Pathfinder-Signature', sign(body)],
        ],
        [
          ['x-pathfinder-signature', sign(body, 'another secret')],
          ['x-pathfinder-signature', sign(body)],
        ],
      ] as const;
      for (const lines of headers)
        expect(await send({ chunks: [body], headers: lines }), String(lines)).toEqual(unauthorized);
      for (let length = 0; length < 200; length += 7) {
        const header = sign(body).repeat(3).slice(0, length);
        if (length === 71) continue;
        expect(await send({ chunks: [body], headers: [['x-pathfinder-signature', header]] }), header).toEqual(
          unauthorized,
        );
      }
      expect(runs).toBe(0);
    });

    it('refuses a signature that comes as a trailer', async () => {
      const { send } = await serve();
      const body = bodyOf();
      const headers = [
        ['transfer-encoding', 'chunked'],
        ['trailer', 'x-pathfinder-signature'],
      ] as const;
      const chunks = chunked(body, 64, `x-pathfinder-signature: ${sign(body)}\r\n`);
      expect(await send({ headers, chunks, bare: true })).toEqual(refused(401, 'invalid_signature'));
    });

    it.each([
      ['invalid_json', Buffer.from('{"id":')],
      ['invalid_json', Buffer.from([0x22, 0xff, 0x22])],
      ['invalid_json', Buffer.from('['.repeat(100_000))],
      ['invalid_envelope', Buffer.from('[]')],
      ['invalid_envelope', bodyOf({ id: '' })],
      ['invalid_envelope', bodyOf({ created: 1_709_280_000_000 })],
    ])('answers 400 for a signed body that is %s', async (code, body) => {
      const { send } = await serve();
      expect(await send(signed(body))).toEqual(refused(400, code));
    });

    it('answers 400 for an event too old or too new', async () => {
      const now = () => 1_709_280_000_000;
      const { send } = await serve({ maxAgeSeconds: 60, now });
      expect(await send(signed(bodyOf({ created: 1_709_279_939 })))).toEqual(refused(400, 'too_old'));
      expect(await send(signed(bodyOf({ created: 1_709_280_301 })))).toEqual(refused(400, 'too_new'));
      expect(await send(signed(bodyOf({ created: 1_709_279_940 })))).toEqual(answered('processed', 1));
    });

    it('answers 422 for data beside its schema, where that is to be refused', async () => {
      const { send } = await serve({ validation: 'reject' });
      expect(await send(signed(bodyOf({ data: {} })))).toEqual(refused(422, 'invalid_data'));
    });

    it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])('answers 405 to %s', async (method) => {
      const { send } = await serve();
      const reply = refused(405, 'method_not_allowed', { allow: 'POST' });
      expect(await send({ method })).toEqual(method === 'HEAD' ? { ...reply, body: '' } : reply);
    });

    it('answers 413 for a body too large, announced or not', async () => {
      const { send, webhooks } = await serve({ maxBodyBytes: 1000 });
      const body = Buffer.alloc(1001, ' ');
      expect(await send(signed(body))).toEqual(refused(413, 'body_too_large'));
      const headers = [['transfer-encoding', 'chunked']] as const;
      expect(await send(signed(body, { chunks: chunked(body, 100), headers, bare: true }))).toEqual(
        refused(413, 'body_too_large'),
      );
      const most = Buffer.concat([bodyOf(), Buffer.alloc(1000, ' ')]).subarray(0, 1000);
      expect(await send(signed(most))).toEqual(answered('processed', 1));
      expect(webhooks.metrics.getStats().rejected).toEqual({ body_too_large: 2 });
    });

    it('answers 408 for a body that comes too slowly', async () => {
      const { send } = await serve({ bodyTimeoutMs: 150 });
      const body = bodyOf();
      const request = signed(body, { chunks: [body.subarray(0, 10), body.subarray(10)], chunkDelayMs: 400 });
      expect(await send(request)).toEqual(refused(408, 'body_timeout'));
    });

    it('answers 415 for a compressed body, without inflating it', async () => {
      const { send } = await serve();
      const body = gzipSync(Buffer.alloc(1_000_000, ' '));
      expect(await send(signed(body, { headers: [['content-encoding', 'gzip']] }))).toEqual(
        refused(415, 'unsupported_encoding'),
      );
      expect(await send(signed(bodyOf(), { headers: [['content-encoding', 'identity']] }))).toEqual(
        answered('processed', 1),
      );
    });

    it('answers 500 for a failing handler, without a word of its error', async () => {
      const canary = 'the db password is hunter2';
      const { send } = await serve({}, (webhooks) =>
        webhooks.on('*', () => {
          throw new Error(canary);
        }),
      );
      expect(await send(signed(bodyOf()))).toEqual(answered('failed', 1, 1, 500));
    });

    it('answers 503 with the store, the queue or the secret out of reach', async () => {
      const down = async () => {
        throw new Error('connect ECONNREFUSED');
      };
      const first = await serve({ store: storeWith({ claim: down }) });
      expect(await first.send(signed(bodyOf()))).toEqual(refused(503, 'store_unavailable', RETRY));
      const second = await serve({ queue: queueOf(down) });
      expect(await second.send(signed(bodyOf()))).toEqual(refused(503, 'queue_unavailable', RETRY));
      const third = await serve({ secret: down });
      expect(await third.send(signed(bodyOf()))).toEqual(refused(503, 'secret_unavailable', RETRY));
    });
  });

  describe(`${name}: bytes`, () => {
    it.each([
      'application/json',
      'text/plain',
      'application/octet-stream',
      'application/x-www-form-urlencoded',
      'nonsense',
      '',
    ])('are the same for the content type %j', async (type) => {
      const { send } = await serve();
      const headers = type ? ([['content-type', type]] as const) : [];
      expect(await send(signed(bodyOf(), { headers }))).toEqual(answered('processed', 1));
    });

    it('are read as UTF-8 whatever charset the header claims', async () => {
      const names: unknown[] = [];
      const { send } = await serve({}, (webhooks) => webhooks.on('*', ({ data }) => void names.push(data)));
      const data = { user: { id: 'u', username: 'x+ACI-,+ACI-role+ACI-:+ACI-admin', email: 'e' } };
      const headers = [['content-type', 'application/json; charset=utf-7']] as const;
      expect(await send(signed(bodyOf({ data }), { headers }))).toEqual(answered('processed', 1));
      expect(names).toEqual([data]);
    });

    it('pass with one byte order mark, which is part of what is signed', async () => {
      const { send } = await serve();
      const body = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bodyOf()]);
      expect(await send(signed(body))).toEqual(answered('processed', 1));
      const headers = [['x-pathfinder-signature', sign(bodyOf())]] as const;
      expect(await send({ chunks: [body], headers })).toEqual(refused(401, 'invalid_signature'));
    });

    it('arrive whole in chunks of any size, cut inside characters too', async () => {
      const seen: string[] = [];
      const { send } = await serve({}, (webhooks) =>
        webhooks.on('*', (_, { rawBody }) => void seen.push(createHash('sha256').update(rawBody).digest('hex'))),
      );
      const property = fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        async (text, size) => {
          const id = `evt_${randomBytes(8).toString('hex')}`;
          const body = Buffer.from(JSON.stringify(eventOf({ id, extra: text })));
          const headers = [['transfer-encoding', 'chunked']] as const;
          const reply = await send(signed(body, { chunks: chunked(body, size), headers, bare: true }));
          expect(reply).toEqual(answered('processed', 1));
          expect(seen.at(-1)).toBe(createHash('sha256').update(body).digest('hex'));
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });

    it('pass after Expect: 100-continue', async () => {
      const { send } = await serve();
      expect(await send(signed(bodyOf(), { headers: [['expect', '100-continue']] }))).toEqual(answered('processed', 1));
    });

    it('that never arrive run nothing and leave the server up', async () => {
      const faults: unknown[] = [];
      const note = (error: unknown) => void faults.push(error);
      process.on('unhandledRejection', note);
      onTestFinished(() => void process.off('unhandledRejection', note));
      let runs = 0;
      const { send } = await serve({ bodyTimeoutMs: 300 }, (webhooks) => webhooks.on('*', () => void runs++));
      const half = bodyOf().subarray(0, 20);
      const headers = [
        ['x-pathfinder-signature', sign(bodyOf())],
        ['content-length', '500'],
      ] as const;
      const aborted = Array.from({ length: 40 }, () => send({ chunks: [half], headers, bare: true, timeoutMs: 30 }));
      expect(await Promise.all(aborted)).toEqual(aborted.map(() => undefined));
      expect(await send(signed(bodyOf()))).toEqual(answered('processed', 1));
      expect({ runs, faults }).toEqual({ runs: 1, faults: [] });
    });

    it.each([
      ['too short', '10'],
      ['no number', 'abc'],
      ['negative', '-1'],
    ])('with a Content-Length that is %s are never processed', async (_, length) => {
      let runs = 0;
      const { send } = await serve({ bodyTimeoutMs: 300 }, (webhooks) => webhooks.on('*', () => void runs++));
      const reply = await send(
        signed(bodyOf(), { headers: [['content-length', length]], bare: true, timeoutMs: 2000 }),
      );
      expect([400, 401, undefined]).toContain(reply?.status);
      expect(runs).toBe(0);
    });
  });
}

function storeWith(parts: Partial<WebhookStore>): WebhookStore {
  return { ...memoryStore(), ...parts };
}

// A queue whose door is all that matters here.
function queueOf(enqueue: WebhookQueue['enqueue']): WebhookQueue {
  return {
    durable: false,
    shared: false,
    store: memoryStore(),
    enqueue,
    start: async () => undefined,
    stop: async () => undefined,
    drain: async () => 0,
    deadLetters: { list: async () => [], get: async () => undefined, replay: async () => 0, discard: async () => 0 },
    stats: async () => ({ ready: 0, active: 0, delayed: 0, dead: 0, oldestReadyMs: 0 }),
  };
}
