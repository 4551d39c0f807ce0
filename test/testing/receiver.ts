import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type WebhookHandler,
  WebhookHandler as WebhookHandlerClass,
  type WebhookHandlerOptions,
} from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** A real receiver on a free port, and the events that its handlers saw. */
export async function receiverOf(
  options: WebhookHandlerOptions,
): Promise<Listening & { seen: string[]; webhooks: WebhookHandler }> {
  const seen: string[] = [];
  const webhooks = new WebhookHandlerClass({ logger: silent, retry: { attempts: 1 }, ...options });
  webhooks.on('*', (event) => void seen.push(event.id));
  const listening = await listen(createServer(toNodeListener(webhooks)));
  return { ...listening, seen, webhooks };
}

export type Reply = Readonly<{ status?: number; headers?: Readonly<Record<string, string>>; body?: string }>;

/** A server that keeps what arrives and answers with what it is told to; `undefined` answers nothing at all. */
export async function serverThat(
  answer: (arrived: Arrived, count: number) => Reply | undefined,
): Promise<Listening & { arrived: Arrived[] }> {
  const arrived: Arrived[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    arrived.push(one);
    const reply = answer(one, arrived.length);
    if (!reply) return;
    response.writeHead(reply.status ?? 200, reply.headers);
    response.end(reply.body ?? '');
  });
  return { ...(await listen(server)), arrived };
}

/** A promise, and what fulfils it: `Promise.withResolvers` is younger than the oldest Node that is supported. */
export function signalled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** The URL of a port on this machine where nobody listens. */
export async function deadUrl(): Promise<string> {
  const { url, close } = await listen(createServer());
  await close();
  return url;
}

export async function listen(server: Server): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
