// Adapters that are wrong in ways that have shipped elsewhere: the matrix must catch each of them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { WebhookReceiver, WebhookReply } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { describe, expect, it } from 'vitest';
import { sign } from '../support/deliver.ts';
import { type Mount, runCase } from './harness.ts';
import { listenAt } from './listen.ts';
import { adapterCases } from './matrix.ts';

const PATH = '/webhooks/pathfinder';
const cases = adapterCases({ parsers: [{ name: 'a parser', takes: () => true, keepsBytes: false }] });

type Broken = (webhooks: WebhookReceiver, request: IncomingMessage, response: ServerResponse) => unknown;

describe.each<readonly [what: string, adapter: Broken, caught: readonly string[]]>([
  [
    'parses and serialises again',
    async (webhooks, request, response) => {
      const parsed = JSON.stringify(JSON.parse(String(await bytesOf(request))));
      write(response, await receive(webhooks, request, Buffer.from(parsed)));
    },
    [
      'passes the exact bytes to the handler',
      'responds 202 once the queue has the exact bytes, which a worker then runs',
    ],
  ],
  [
    'reads text',
    async (webhooks, request, response) => {
      const text = (await bytesOf(request)).toString();
      write(response, await receive(webhooks, request, Buffer.from(text)));
    },
    ['distinguishes a replacement character from the byte that it replaces', 'verifies any bytes in any pieces'],
  ],
  [
    'drops the byte order mark',
    async (webhooks, request, response) => {
      const text = new TextDecoder().decode(await bytesOf(request));
      write(response, await receive(webhooks, request, Buffer.from(text)));
    },
    ['accepts a byte order mark, which is part of the signed bytes'],
  ],
  [
    'heeds the charset',
    async (webhooks, request, response) => {
      const latin = /latin1|nonsense|utf-7|utf-16/.test(request.headers['content-type'] ?? '');
      const bytes = await bytesOf(request);
      write(response, await receive(webhooks, request, latin ? Buffer.from(bytes.toString('latin1')) : bytes));
    },
    ['reads UTF-8 whatever charset the unsigned header claims'],
  ],
  [
    'verifies nothing',
    async (webhooks, request, response) => {
      const body = await bytesOf(request);
      request.headers['x-pathfinder-signature'] = sign(body);
      write(response, await receive(webhooks, request, body));
    },
    [
      'processes a delivery and responds to its duplicate without running it',
      'responds identically to a missing, a malformed and a wrong signature and runs nothing',
      'verifies on every spelling of its path that the router accepts',
      'ignores a signature in a trailer',
      'accepts the content type text/plain',
    ],
  ],
  [
    'verifies nothing on another spelling of its path',
    async (webhooks, request, response) => {
      const body = await bytesOf(request);
      if (request.url !== PATH) request.headers['x-pathfinder-signature'] = sign(body);
      write(response, await receive(webhooks, request, body));
    },
    ['verifies on every spelling of its path that the router accepts'],
  ],
  [
    'takes the first of several signatures',
    async (webhooks, request, response) => {
      const { 'x-pathfinder-signature': [first] = [] } = request.headersDistinct;
      if (first !== undefined) request.headers['x-pathfinder-signature'] = first;
      write(response, await receive(webhooks, request, await bytesOf(request)));
    },
    ['rejects a repeated signature header, valid or not'],
  ],
  [
    'takes a signature from the trailers',
    async (webhooks, request, response) => {
      const body = await bytesOf(request);
      Object.assign(request.headers, request.trailers);
      write(response, await receive(webhooks, request, body));
    },
    ['ignores a signature in a trailer'],
  ],
  [
    'inflates',
    async (webhooks, request, response) => {
      const body = await bytesOf(request);
      const zipped = body[0] === 0x1f;
      if (zipped) delete request.headers['content-encoding'];
      write(response, await receive(webhooks, request, zipped ? gunzipSync(body) : body));
    },
    ['rejects compressed bodies, including a bomb, without inflating them'],
  ],
  [
    'adds to the reply',
    async (webhooks, request, response) => {
      response.setHeader('etag', '"1"');
      write(response, await receive(webhooks, request, await bytesOf(request)));
    },
    ['acknowledges an unhandled event of a known or a new type', 'rejects in the documented order'],
  ],
  [
    'answers a handler that failed with its error',
    async (webhooks, request, response) => {
      const { status, headers, body } = await receive(webhooks, request, await bytesOf(request));
      write(response, { status, headers, body: status === 500 ? 'Error: the password is hunter2' : body });
    },
    ['echoes nothing of a request or of the secret', "shows nothing of a handler's error with NODE_ENV unset"],
  ],
  [
    'answers methods with success',
    (webhooks, request, response) => {
      if (request.method === 'POST') return toNodeListener(webhooks)(request, response);
      return write(response, { status: 204, headers: {}, body: '' });
    },
    ['responds 405 to OPTIONS, whatever else is wrong with it, without waiting for its body'],
  ],
  [
    'waits for the body whatever the head says',
    async (webhooks, request, response) => {
      write(response, await receive(webhooks, request, await bytesOf(request)));
    },
    [
      'rejects by the head alone before the body arrives',
      'responds 408 to a sender that goes silent and then disconnects it',
    ],
  ],
  [
    'answers first and verifies later',
    async (webhooks, request, response) => {
      write(response, { status: 202, headers: {}, body: 'still processing' });
      await receive(webhooks, request, await bytesOf(request).catch(() => Buffer.alloc(0)));
    },
    [
      'responds 408 to a slow sender, since the deadline covers the whole body',
      'responds 405 to GET, whatever else is wrong with it, without waiting for its body',
    ],
  ],
  [
    'closes the connection on a refusal',
    (webhooks, request, response) => {
      response.shouldKeepAlive = false;
      toNodeListener(webhooks)(request, response);
    },
    ['lets a rejected sender finish 8 MB and reuse the connection', 'accepts several deliveries on one connection'],
  ],
  [
    'makes up again what a parser took',
    async (webhooks, request, response) => {
      const { 'content-length': length } = request.headers;
      write(response, await receive(webhooks, request, Buffer.alloc(Number(length), ' ')));
    },
    ['behind a parser: uses the bytes, or reports at once that they are gone'],
  ],
])('a broken adapter that %s', (_, adapter, caught) => {
  const mount: Mount = (webhooks) =>
    listenAt(PATH, async (request, response) => {
      try {
        await adapter(webhooks, request, response);
      } catch {
        response.destroy();
      }
    });

  it.each(caught)('fails the matrix: %s', async (name) => {
    const found = cases.find((one) => one.name === name);
    if (!found) throw new Error(`There is no case of this name: ${name}`);
    await expect(runCase(found, mount, 1500)).rejects.toThrow();
  });
});

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await request.toArray());
}

function receive(webhooks: WebhookReceiver, request: IncomingMessage, body: Buffer): Promise<WebhookReply> {
  const header = (name: string) => request.headers[name]?.toString();
  return webhooks.receive({ method: request.method ?? '', header, body });
}

function write(response: ServerResponse, { status, headers, body }: WebhookReply): void {
  response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
}
