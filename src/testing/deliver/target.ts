import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WebhookReceiver, WebhookReply } from '../../delivery.ts';
import type { DeliveryRequest } from '../fixtures/delivery-request.ts';
import { toRequestOf } from '../fixtures/delivery-request.ts';
import { post } from '../post.ts';

const MAX_REPLY_BYTES = 1_048_576;

/** A function from a web-standard request to a response; what else a platform passes is left out. */
export type FetchTarget = (request: Request, ...rest: never[]) => Response | Promise<Response>;

/** A Hono app, or anything else that has `fetch`. */
export interface FetchObject {
  /** Answers a request. */
  fetch(request: Request, ...rest: never[]): Response | Promise<Response>;
}

/** A Fastify app. */
export interface InjectTarget {
  /** Answers a request without a server. */
  inject(request: {
    method: 'POST';
    url: string;
    headers: Record<string, string>;
    payload: Buffer;
  }): PromiseLike<{ readonly statusCode: number; readonly headers: object; readonly payload: string }>;
}

/** An Express app, or a listener of `node:http`. */
export type NodeTarget = (request: never, response: never, ...rest: never[]) => unknown;

/** A receiver that a delivery can be handed to without a server of one's own. */
export type DeliveryTarget =
  | Pick<WebhookReceiver, 'receive' | 'limits'>
  | FetchTarget
  | FetchObject
  | InjectTarget
  | NodeTarget
  | Server;

/** How a function is called where it could be either. */
export type FunctionKind = 'fetch' | 'node';

export interface ReachOptions {
  readonly as: FunctionKind | undefined;
  readonly timeoutMs: number;
}

/** Hands a request to a target, and returns its reply. */
export function reach(target: DeliveryTarget, request: DeliveryRequest, options: ReachOptions): Promise<WebhookReply> {
  const given = target as Readonly<Record<string, unknown>>;
  if (typeof given?.receive === 'function' && given.limits) return toReceiver(target as WebhookReceiver, request);
  if (typeof given?.inject === 'function') return toFastify(target as InjectTarget, request);
  if (typeof target === 'function') {
    const kind = options.as ?? kindOf(target);
    return kind === 'fetch' ? toFetch(target as FetchTarget, request) : toNode(target as NodeTarget, request, options);
  }
  if (typeof given?.fetch === 'function') {
    const { fetch } = target as FetchObject;
    return toFetch((one) => fetch.call(target, one), request);
  }
  if (typeof given?.emit === 'function') {
    const server = target as Server;
    return toNode((incoming, outgoing) => server.emit('request', incoming, outgoing), request, options);
  }
  throw new TypeError(
    'Pass deliver a WebhookHandler, a fetch handler, a Hono or Fastify app, an Express app or a node:http listener.',
  );
}

// Listeners of node:http take two parameters and Express apps three, as handlers of some platforms do; those are async functions.
function kindOf(target: { readonly length: number; readonly constructor: { readonly name: string } }): FunctionKind {
  if (typeof (target as { readonly listen?: unknown }).listen === 'function') return 'node';
  return target.length <= 1 || target.constructor.name === 'AsyncFunction' ? 'fetch' : 'node';
}

async function toReceiver(
  webhooks: WebhookReceiver,
  { method, url, headers, body }: DeliveryRequest,
): Promise<WebhookReply> {
  return webhooks.receive({ method, url, body, header: (name) => headers[name.toLowerCase()] });
}

async function toFetch(handle: FetchTarget, request: DeliveryRequest): Promise<WebhookReply> {
  const response: unknown = await handle(toRequestOf(request, request.url));
  // A response of another realm, as jest makes them, is no instance of this one's class.
  if (typeof (response as Response | undefined)?.text !== 'function') {
    throw new TypeError("The target returned no Response. Is it a listener of node:http? Then pass { as: 'node' }.");
  }
  const { status, headers } = response as Response;
  return { status, headers: Object.fromEntries(headers), body: await (response as Response).text() };
}

async function toFastify(app: InjectTarget, { url, headers, body }: DeliveryRequest): Promise<WebhookReply> {
  const { pathname, search } = new URL(url);
  const reply = await app.inject({
    method: 'POST',
    url: pathname + search,
    headers: { ...headers },
    payload: Buffer.from(body),
  });
  return { status: reply.statusCode, headers: textHeaders(reply.headers), body: reply.payload };
}

function textHeaders(headers: object): Readonly<Record<string, string>> {
  const pairs = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(pairs.map(([name, value]) => [name, [value].flat().join(', ')]));
}

// A listener gets a real request over a socket: no mock is as exact.
async function toNode(
  listener: NodeTarget,
  request: DeliveryRequest,
  { timeoutMs }: ReachOptions,
): Promise<WebhookReply> {
  let misuse: unknown;
  const server = createServer(((incoming, outgoing) => {
    const fail = (error: unknown) => {
      misuse = error;
      outgoing.destroy();
    };
    try {
      Promise.resolve(listener(incoming as never, outgoing as never)).then((returned) => {
        if (!outgoing.headersSent && isResponse(returned))
          fail(new TypeError("The target returned a Response. Is it a fetch handler? Then pass { as: 'fetch' }."));
      }, fail);
    } catch (error) {
      fail(error);
    }
  }) satisfies RequestListener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const { pathname, search } = new URL(request.url);
  try {
    return await post(`http://127.0.0.1:${port}${pathname}${search}`, {
      headers: { ...request.headers, connection: 'close' },
      body: request.body,
      timeoutMs,
      maxReplyBytes: MAX_REPLY_BYTES,
    });
  } catch (error) {
    throw misuse ?? error;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function isResponse(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Response>).arrayBuffer === 'function';
}
