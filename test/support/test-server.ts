import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { OnTestFinished } from './command-line.ts';

/** A request as it arrived. */
export interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** A server on a free port of this machine, which goes when the test has finished. */
export async function serverWith(
  listener: RequestListener,
  whenFinished: OnTestFinished = onTestFinished,
): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  whenFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/pathfinder`);
}

/** A server that remembers what it was sent, and answers what `reply` says. */
export async function recordingServer(
  reply: (
    received: Received,
    index: number,
  ) => {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = () => ({ status: 200 }),
) {
  const received: Received[] = [];
  const url = await serverWith((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers, rawHeaders } = request;
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks) };
      received.push(one);
      const { status, headers: more = {}, body = '' } = reply(one, received.length - 1);
      response.writeHead(status, more).end(body);
    });
  });
  return { url, received };
}

/** An address on which nothing listens. */
export async function nowhere(): Promise<URL> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return new URL(`http://127.0.0.1:${port}/webhooks/pathfinder`);
}
