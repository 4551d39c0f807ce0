// Bridges from node:http to handlers, for tests without the framework that stands there in an application.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';

/** Serves a function from `Request` to `Response` the way Next does: the request is its own body, read when asked for. */
export function webListener(handle: (request: Request) => Promise<Response>): RequestListener {
  return async (incoming, outgoing) => {
    const response = await handle(toRequest(incoming));
    if (outgoing.destroyed) return;
    outgoing.statusCode = response.status;
    const body = Buffer.from(await response.arrayBuffer());
    outgoing.setHeaders(response.headers).setHeader('content-length', body.length);
    // As a server does to a sender who was too late (RFC 9110, 15.5.9): what is still on its way is nobody's.
    outgoing.end(body, () => void (response.status === 408 && incoming.destroy()));
  };
}

function toRequest(incoming: IncomingMessage): Request {
  const { method = '', url = '' } = incoming;
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] ?? '', incoming.rawHeaders[i + 1] ?? '');
  }
  const body = method === 'GET' || method === 'HEAD' ? undefined : incoming;
  const base = `http://${incoming.headers.host}`;
  // Bodies that are async iterables are Node's own addition.
  const init = { method, headers, body, duplex: 'half' } as unknown as RequestInit;
  return new Request(new URL(url.startsWith('http') ? url : base + url), init);
}

/**
 * What Next does to a request that its proxy has seen: reads it whole, and puts a copy of the first `maxBytes` in the
 * place of the stream, on the request itself.
 */
export async function throughProxy(request: IncomingMessage, maxBytes = 10 * 1024 * 1024): Promise<IncomingMessage> {
  const copy = new PassThrough();
  let size = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    size += piece.length;
    if (size <= maxBytes) copy.push(piece);
  }
  copy.push(null);
  for (const name in copy) {
    const value: unknown = copy[name as keyof Readable];
    Object.assign(request, { [name]: typeof value === 'function' ? value.bind(request) : value });
  }
  return request;
}

/** Serves an API route of the Pages Router. With a `parser` it parses bodies first, as Next does unless told not to. */
export function apiListener(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  parser = false,
): RequestListener {
  return async (request, response) => {
    if (parser) Object.assign(request, { body: JSON.parse(Buffer.concat(await request.toArray()).toString()) });
    await handle(request, response);
  };
}
