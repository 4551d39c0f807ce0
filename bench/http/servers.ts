import { createServer, type RequestListener, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toHonoHandler } from '@pathfinder/webhooks/hono';
import { toNextApiHandler, toNextRoute } from '@pathfinder/webhooks/next';
import { toNodeListener } from '@pathfinder/webhooks/node';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { SECRET } from '../usual.ts';
import { hmacAlone, pipelineByHand, type Receive, readByHand } from './by-hand.ts';

const PATH = '/webhooks';
const SIGNATURE = 'x-pathfinder-signature';

/** Serves on a free port. */
type Start = () => Server | Promise<Server>;

/** The ways to receive that are compared, by the framework that they stand on. */
export const SERVERS: Readonly<Record<string, Readonly<Record<string, Start>>>> = {
  'node:http': {
    'HMAC alone': () => createServer(nodeByHand(hmacAlone)),
    'by hand': () => createServer(nodeByHand(whole())),
    package: () => createServer(toNodeListener(handler())),
    '@octokit/webhooks': () => createServer(createNodeMiddleware(octokit(), { path: PATH })),
  },
  'Express 5': {
    'HMAC alone': () => createServer(expressByHand(hmacAlone)),
    'by hand': () => createServer(expressByHand(whole())),
    package: () => createServer(express().post(PATH, toExpressHandler(handler()))),
  },
  Fastify: {
    'HMAC alone': () => fastifyByHand(hmacAlone),
    'by hand': () => fastifyByHand(whole()),
    async package() {
      const app = fastify();
      app.register(toFastifyPlugin(handler()), { prefix: PATH });
      await app.ready();
      return app.server;
    },
  },
  Hono: {
    'HMAC alone': () => createServer(getRequestListener(honoByHand(hmacAlone).fetch)),
    'by hand': () => createServer(getRequestListener(honoByHand(whole()).fetch)),
    package: () => createServer(getRequestListener(new Hono().post(PATH, toHonoHandler(handler())).fetch)),
  },
  fetch: {
    'HMAC alone': () => createServer(getRequestListener(fetchByHand(hmacAlone))),
    'by hand': () => createServer(getRequestListener(fetchByHand(whole()))),
    package: () => createServer(getRequestListener(toFetchHandler(handler()))),
  },
  // Without Next itself, which takes several times as much as any of these: its routes are called as Next calls them.
  'a route of Next': {
    'HMAC alone': () => createServer(asNextCalls(fetchByHand(hmacAlone))),
    'by hand': () => createServer(asNextCalls(fetchByHand(whole()))),
    package: () => createServer(asNextCalls(toNextRoute(handler()))),
  },
  'an API route of Next': {
    'HMAC alone': () => createServer(nodeByHand(hmacAlone)),
    'by hand': () => createServer(nodeByHand(whole())),
    package() {
      const route = toNextApiHandler(handler());
      return createServer((request, response) => void route(request, response));
    },
  },
};

function whole(): Receive {
  return pipelineByHand(() => undefined);
}

function handler(): WebhookHandler {
  return new WebhookHandler({ secret: SECRET }).on('user.created', () => undefined);
}

function octokit(): Webhooks {
  const webhooks = new Webhooks({ secret: SECRET });
  webhooks.on('push', () => undefined);
  return webhooks;
}

function nodeByHand(receive: Receive): RequestListener {
  return async (request, response) => {
    const body = await readByHand(request);
    const status = await receive(body, String(request.headers[SIGNATURE]));
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(replyOf(status));
  };
}

function expressByHand(receive: Receive): express.Express {
  return express().post(PATH, express.raw({ type: 'application/json' }), async (request, response) => {
    const status = await receive(request.body, request.get(SIGNATURE));
    response.status(status).set('cache-control', 'no-store').type('json').send(replyOf(status));
  });
}

async function fastifyByHand(receive: Receive): Promise<Server> {
  const app = fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.post(PATH, async (request, reply) => {
    const status = await receive(request.body as Buffer, String(request.headers[SIGNATURE]));
    return reply.code(status).header('cache-control', 'no-store').type('application/json').send(replyOf(status));
  });
  await app.ready();
  return app.server;
}

function honoByHand(receive: Receive): Hono {
  return new Hono().post(PATH, async (c) => {
    const status = await receive(new Uint8Array(await c.req.arrayBuffer()), c.req.header(SIGNATURE));
    return c.body(replyOf(status), status as 200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  });
}

function fetchByHand(receive: Receive): (request: Request) => Promise<Response> {
  return async (request) => {
    const status = await receive(new Uint8Array(await request.arrayBuffer()), request.headers.get(SIGNATURE));
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    return new Response(replyOf(status), { status, headers });
  };
}

// Next's Request is Node's own, with the incoming message as its body.
function asNextCalls(route: (request: Request) => Promise<Response>): RequestListener {
  return async (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const init = { method, headers: headers as Record<string, string>, body: incoming, duplex: 'half' };
    const response = await route(new Request(`http://127.0.0.1${url}`, init as unknown as RequestInit));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    for await (const piece of response.body ?? []) outgoing.write(piece);
    outgoing.end();
  };
}

function replyOf(status: number): string {
  return status === 200 ? '{"success":true}' : '{"success":false}';
}
