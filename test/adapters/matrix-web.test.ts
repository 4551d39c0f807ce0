// Readers of web-standard requests that are wrong in ways that have shipped elsewhere: the matrix must catch each of them.
import { getRequestListener } from '@hono/node-server';
import type { WebhookReceiver, WebhookReply } from '@pathfinder/webhooks';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { describe, expect, it } from 'vitest';
import { type Mount, runCase } from './harness.ts';
import { listenAt } from './listen.ts';
import { adapterCases } from './matrix.ts';

const PATH = '/webhooks/pathfinder';
const cases = adapterCases({});

type Broken = (webhooks: WebhookReceiver, request: Request) => Promise<Response>;

describe.each<readonly [what: string, reader: Broken, caught: readonly string[]]>([
  [
    'reads text',
    async (webhooks, request) => answer(await receive(webhooks, request, Buffer.from(await request.text()))),
    ['distinguishes a replacement character from the byte that it replaces', 'verifies any bytes in any pieces'],
  ],
  [
    'drops the byte order mark',
    async (webhooks, request) => {
      const bytes = Buffer.from(await request.arrayBuffer());
      const marked = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]));
      return answer(await receive(webhooks, request, marked ? bytes.subarray(3) : bytes));
    },
    ['accepts a byte order mark, which is part of the signed bytes'],
  ],
  [
    'has no limit',
    async (webhooks, request) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of request.body ?? []) pieces.push(piece);
      return answer(await receive(webhooks, request, Buffer.concat(pieces)));
    },
    ['disconnects a rejected sender that continues beyond the deadline'],
  ],
  [
    'has no deadline',
    (webhooks, request) =>
      toFetchHandler({
        limits: { ...webhooks.limits, bodyTimeoutMs: 2 ** 31 - 1 },
        receive: webhooks.receive.bind(webhooks),
        admit: webhooks.admit.bind(webhooks),
      })(request),
    [
      'responds 408 to a sender that goes silent and then disconnects it',
      'responds 408 to a slow sender, since the deadline covers the whole body',
    ],
  ],
  [
    'takes a parsed body',
    async (webhooks, request) => {
      const parsed = JSON.stringify(await request.json());
      return answer(await receive(webhooks, request, Buffer.from(parsed)));
    },
    [
      'passes the exact bytes to the handler',
      'responds 202 once the queue has the exact bytes, which a worker then runs',
    ],
  ],
  [
    'reads before it looks at the head',
    async (webhooks, request) =>
      answer(await receive(webhooks, request, Buffer.from(await request.clone().arrayBuffer()))),
    ['rejects by the head alone before the body arrives'],
  ],
])('a broken reader of web requests that %s', (_, reader, caught) => {
  const mount: Mount = (webhooks) =>
    listenAt(
      PATH,
      getRequestListener((request) => reader(webhooks, request)),
    );

  it.each(caught)('fails the matrix: %s', async (name) => {
    const found = cases.find((one) => one.name === name);
    if (!found) throw new Error(`There is no case of this name: ${name}`);
    await expect(runCase(found, mount, 1500)).rejects.toThrow();
  });
});

function receive(webhooks: WebhookReceiver, request: Request, body: Uint8Array): Promise<WebhookReply> {
  const header = (name: string) => request.headers.get(name) ?? undefined;
  return webhooks.receive({ method: request.method, header, body });
}

function answer({ status, headers, body }: WebhookReply): Response {
  return new Response(body, { status, headers });
}
