import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toHonoHandler } from '@pathfinder/webhooks/hono';
import { toNextRoute } from '@pathfinder/webhooks/next';
import { toNodeListener } from '@pathfinder/webhooks/node';
import {
  type DeliveryTarget,
  deliver,
  loadFixture,
  memoryQueue,
  saveFixture,
  signedRequest,
  type WebhookMatchers,
  webhookMatchers,
} from '@pathfinder/webhooks/testing';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { emptyFolder } from '../support/command-line.ts';
import { recordingLogger } from '../support/deliver.ts';

declare module 'vitest' {
  interface Matchers<T> extends WebhookMatchers<T> {}
}

expect.extend(webhookMatchers);

const secret = 'a-secret-for-deliveries';
const PATH = '/webhooks/pathfinder';

function receiver() {
  const webhooks = new WebhookHandler({ secret, logger: recordingLogger(), retry: { attempts: 2, baseMs: 1 } });
  webhooks.on('user.created', () => undefined, { name: 'welcome' });
  webhooks.on('user.deleted', () => Promise.reject(new Error('no')), { name: 'erase' });
  return webhooks;
}

const targets: Readonly<Record<string, (webhooks: WebhookHandler) => DeliveryTarget | Promise<DeliveryTarget>>> = {
  'a WebhookHandler': (webhooks) => webhooks,
  'a fetch handler': toFetchHandler,
  'a function of a request': (webhooks) => (request: Request) => toFetchHandler(webhooks)(request),
  'a route of Next.js': toNextRoute,
  'a Hono app'(webhooks) {
    const app = new Hono();
    app.post(PATH, toHonoHandler(webhooks));
    return app;
  },
  async 'a Fastify app'(webhooks) {
    const app = fastify();
    await app.register(toFastifyPlugin(webhooks), { prefix: PATH });
    return app;
  },
  'an Express app'(webhooks) {
    const app = express();
    app.post(PATH, toExpressHandler(webhooks));
    return app;
  },
  'a listener of node:http': toNodeListener,
  'a server of node:http': (webhooks) => createServer(toNodeListener(webhooks)),
};

describe.each(Object.entries(targets))('deliver to %s', (_, make) => {
  it('returns the response and the handlers that ran', async () => {
    const target = await make(receiver());
    const delivery = signedRequest('user.created', { secret });
    const result = await deliver(target, delivery);
    expect([result.status, result.json, result.headers['content-type']]).toEqual([
      200,
      { success: true, status: 'processed', processed: 1, failed: 0 },
      'application/json',
    ]);
    expect(result.text).toBe(JSON.stringify(result.json));
    expect(result.runs).toEqual([
      { eventId: delivery.event.id, eventType: 'user.created', handlerName: 'welcome', succeeded: true, attempts: 1 },
    ]);
    expect(result).toBeAccepted();
    expect(result).toHaveRun('welcome');
    const again = await deliver(target, delivery.duplicate());
    expect(again).toBeAccepted();
    expect(again).not.toHaveRun('welcome');
  });

  it('delivers forgeries, which are rejected', async () => {
    const target = await make(receiver());
    const delivery = signedRequest('user.created', { secret });
    const short = { ...delivery, headers: { ...delivery.headers, 'x-pathfinder-signature': 'sha256=00' } };
    for (const [forged, code] of [
      [delivery.tampered(), 'signature_mismatch'],
      [delivery.unsigned(), 'missing_signature'],
      [short, 'malformed_signature'],
    ] as const) {
      const result = await deliver(target, forged);
      expect(result).toBeRefused();
      expect(result).toBeRefused('invalid_signature');
      expect(result).toBeRefused(code);
      expect(result).not.toBeRefused(code === 'signature_mismatch' ? 'missing_signature' : 'signature_mismatch');
      expect(result).not.toBeAccepted();
      expect(result.runs).toEqual([]);
    }
    const failed = await deliver(target, signedRequest('user.deleted', { secret }));
    expect(failed).toBeRefused('handler_failed');
    expect(failed).not.toHaveRun('erase');
    expect(failed.runs).toMatchObject([{ handlerName: 'erase', succeeded: false, attempts: 2 }]);
  });
});

describe('deliver', () => {
  it('returns what ran in a worker once it has finished', async () => {
    const webhooks = new WebhookHandler({
      secret,
      queue: memoryQueue({ allowVolatile: true }),
      logger: recordingLogger(),
    });
    webhooks.on('user.created', () => undefined, { name: 'welcome' });
    const result = await deliver(webhooks, signedRequest('user.created', { secret }));
    expect(result).toBeAccepted();
    expect(result).not.toHaveRun('welcome');
    await webhooks.drain({ maxMs: 1000 });
    expect(result).toHaveRun('welcome', 1);
  });

  it('keeps concurrent deliveries apart', async () => {
    const webhooks = receiver();
    const results = await Promise.all(
      Array.from({ length: 20 }, () => deliver(webhooks, signedRequest('user.created', { secret }))),
    );
    for (const result of results) expect(result).toHaveRun('welcome', 1);
  });

  it('delivers exact bytes and headers', async () => {
    const seen: unknown[] = [];
    const listener: RequestListener = (request, response) => {
      request.on('data', (chunk: Buffer) => seen.push(chunk, request.headers['x-more'], request.url));
      request.on('end', () => response.end());
    };
    const delivery = signedRequest('user.created', {
      secret,
      url: 'http://localhost/a/b?c=d',
      headers: { 'x-more': '1' },
    });
    await deliver(listener, delivery);
    expect(seen).toEqual([Buffer.from(delivery.body), '1', '/a/b?c=d']);
  });

  it('names the detected kind of a function that was the other kind', async () => {
    const delivery = signedRequest('user.created', { secret });
    const asyncListener = async (_: unknown, response: { end?: () => void }) => response?.end?.();
    await expect(deliver(asyncListener, delivery)).rejects.toThrow("pass { as: 'node' }");
    expect((await deliver(asyncListener, delivery, { as: 'node' })).status).toBe(200);
    const plainFetch = (_request: Request, _env: unknown) => Promise.resolve(new Response('ok'));
    await expect(deliver(plainFetch, delivery)).rejects.toThrow("pass { as: 'fetch' }");
    expect((await deliver(plainFetch, delivery, { as: 'fetch' })).text).toBe('ok');
  });

  it('throws what a target throws, and times out', async () => {
    const delivery = signedRequest('user.created', { secret });
    const fault = new Error('set up wrongly');
    await expect(deliver(() => Promise.reject(fault), delivery)).rejects.toBe(fault);
    await expect(
      deliver((_a: never, _b: never) => {
        throw fault;
      }, delivery),
    ).rejects.toBe(fault);
    await expect(deliver((_a: never, _b: never) => undefined, delivery, { timeoutMs: 50 })).rejects.toThrow(
      'No whole reply within 50 ms',
    );
    await expect(deliver({} as never, delivery)).rejects.toThrow('Pass deliver a WebhookHandler');
    await expect(deliver(null as never, delivery)).rejects.toThrow('Pass deliver a WebhookHandler');
    await expect(deliver(receiver(), delivery, { timeout: 5 } as never)).rejects.toThrow('Did you mean `timeoutMs`?');
  });
});

describe('the matchers', () => {
  it('print the expected and the received outcome', async () => {
    const accepted = await deliver(receiver(), signedRequest('user.created', { secret }));
    const refused = await deliver(receiver(), signedRequest('user.created', { secret }).tampered());
    const messages = [
      () => expect(refused).toBeAccepted(),
      () => expect(accepted).not.toBeAccepted(),
      () => expect(accepted).toBeRefused('too_old'),
      () => expect(refused).not.toBeRefused('signature_mismatch'),
      () => expect(accepted).toHaveRun('erase'),
      () => expect(accepted).toHaveRun('welcome', 2),
      () => expect({ status: 200 }).toBeAccepted(),
      () => expect(accepted).toBeRefused('signature_mismach' as never),
    ].map((assertion) => {
      try {
        assertion();
        return 'nothing';
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(messages).toEqual([
      'expected the delivery to be accepted, and it was answered 401 {"success":false,"error":"invalid_signature"}',
      'expected the delivery not to be accepted, and it was answered 200 {"success":true,"status":"processed","processed":1,"failed":0}',
      'expected the delivery to be refused with too_old, and it was answered 200 {"success":true,"status":"processed","processed":1,"failed":0}',
      'expected the delivery not to be refused with signature_mismatch, and it was answered 401 {"success":false,"error":"invalid_signature"}',
      'expected the handler erase to have run; these have: welcome',
      'expected the handler welcome to have run 2 times; these have: welcome',
      'Pass expect what deliver has returned: expect(await deliver(target, request)).',
      'There is no code "signature_mismach". Did you mean signature_mismatch?',
    ]);
  });

  it('are typed', () => {
    expectTypeOf<WebhookMatchers<void>>().toHaveProperty('toBeAccepted');
    // @ts-expect-error: there is no such code.
    expect(() => expect({}).toBeRefused('signature_mismach')).toThrow();
  });
});

describe('a saved delivery', () => {
  /** The body that a shell would give to curl. */
  function sentByCurl(command: string): Buffer {
    const stub = `curl() { for last do :; done; if [ "$last" = @- ]; then cat; else printf %s "$last"; fi; }\n`;
    return execFileSync('sh', ['-c', stub + command]);
  }

  it.each([
    ['text', Buffer.from('{"id":"évt"}\r\n')],
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
    ['bytes that are no text', Buffer.from([0, 255, 254, 10])],
    ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['what printf and shells take for more than itself', Buffer.from("-n %s \\n '$HOME' `id` \u009b2J")],
    ['nothing', Buffer.alloc(0)],
  ])('restores the same bytes: %s', async (_, body) => {
    const path = join(emptyFolder(), 'saved.json');
    const delivery = { url: 'http://localhost:3000/x?y=1', method: 'POST' as const, headers: { 'x-a': 'b' }, body };
    await saveFixture(path, delivery);
    const { url, method, headers, body: loaded, toRequest, curl } = await loadFixture(path);
    expect({ url, method, headers, body: Buffer.from(loaded) }).toEqual({ ...delivery, body });
    expect(Buffer.from(await toRequest('http://localhost/z').arrayBuffer())).toEqual(body);
    expect(curl()).toContain("curl -X POST 'http://localhost:3000/x?y=1'");
    expect(sentByCurl(curl())).toEqual(body);
    expect(curl()).not.toMatch(/[^\P{C}\r\n\t]/u);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is readable text when the bytes allow it', async () => {
    const path = join(emptyFolder(), 'saved.json');
    await saveFixture(path, signedRequest('user.created', { secret, id: 'evt_test_1' }));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      format: 'pathfinder-webhook-delivery/1',
      body: expect.stringContaining('"evt_test_1"'),
    });
    expect(await deliver(receiver(), await loadFixture(path))).toBeAccepted();
  });

  it.each([
    ['no JSON', '{', 'its `format` is not'],
    ['no object', 'null', 'its `format` is not'],
    ['another format', '{"format":"har"}', 'its `format` is not'],
    ['another method', '{"format":"pathfinder-webhook-delivery/1","method":"GET"}', 'its `method` is not "POST"'],
    ['no URL', '{"format":"pathfinder-webhook-delivery/1","method":"POST","url":"x"}', 'its `url` is no URL'],
    [
      'no headers',
      '{"format":"pathfinder-webhook-delivery/1","method":"POST","url":"http://x/","headers":{"a":1}}',
      'its `headers` are',
    ],
    [
      'a header that would be two',
      '{"format":"pathfinder-webhook-delivery/1","method":"POST","url":"http://x/","headers":{"a":"b\\r\\nc: d"}}',
      'its `headers` are',
    ],
    [
      'no body',
      '{"format":"pathfinder-webhook-delivery/1","method":"POST","url":"http://x/","headers":{}}',
      'neither a `body`',
    ],
  ])('is rejected when it is %s', async (_, text, why) => {
    const path = join(emptyFolder(), 'saved.json');
    writeFileSync(path, text);
    await expect(loadFixture(path)).rejects.toThrow(why);
    await expect(loadFixture(path)).rejects.toThrow(TypeError);
  });

  it("that does not exist throws the file system's error", async () => {
    await expect(loadFixture(join(emptyFolder(), 'none.json'))).rejects.toThrow('ENOENT');
  });
});
