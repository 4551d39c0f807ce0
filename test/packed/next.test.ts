// Next itself: applications with the packed package, built by `next build`, over real sockets.

import type { RequestListener } from 'node:http';
import { WebhookHandler, type WebhookReceiver } from '@pathfinder/webhooks';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { accepted, forged, type Mount, refused, signed } from '../adapters/harness.ts';
import { type Listening, listen } from '../adapters/listen.ts';
import { describeAdapter } from '../adapters/matrix.ts';
import { type RawReply, type RawRequest, sendRaw } from '../adapters/raw-client.ts';
import { bodyOf, recordingLogger, SECRET } from '../support/deliver.ts';
import { type Applications, buildApplications, ROUTERS, type Router, start } from './next/applications.ts';

const MAJOR = process.env.NEXT_MAJOR ?? '16';
const PATHS = { 'app-router': '/webhooks', 'pages-router': '/api/webhooks' } as const;

let applications: Applications;
const servers = new Map<Router, Listening>();

beforeAll(async () => {
  applications = await buildApplications(MAJOR, SECRET, inject('packedFolder'));
}, 600_000);
afterAll(async () => {
  for (const server of servers.values()) await server.close();
  if (MAJOR !== '16') applications?.remove();
});

describe.each(ROUTERS)(`next start ${MAJOR}, %s`, (router) => {
  const serve = async () => {
    const { origin, printed, stop } = await start(applications.folderOf(router), { PATHFINDER_WEBHOOK_SECRET: SECRET });
    onTestFinished(() => void stop());
    return { url: `${origin}${PATHS[router]}`, printed };
  };

  it('runs the handler once, recognizes the duplicate and rejects a forgery', async () => {
    const { url, printed } = await serve();
    const send = async (request: Parameters<typeof sendRaw>[1]) => {
      const { status, body } = await sendRaw(`${url}/pathfinder`, request);
      return { status, body };
    };
    const bare = ({ status, body }: ReturnType<typeof accepted>) => ({ status, body });
    expect(await send(forged(bodyOf()))).toEqual(bare(refused('invalid_signature')));
    expect(printed()).not.toContain('handled');
    expect(await send(signed(bodyOf()))).toEqual(bare(accepted('processed', 1)));
    expect(await send(signed(bodyOf()))).toEqual(bare(accepted('duplicate')));
    expect(printed().match(/handled evt_1/g)).toEqual(['handled evt_1']);
  }, 60_000);
});

// Next 15.0 has neither `after` nor a limit for the bodies that its proxy copies.
const isFloor = MAJOR.endsWith('floor');

if (!isFloor) {
  it(`next start ${MAJOR} with after() drains the queue after the response`, { timeout: 60_000 }, async () => {
    const { origin, printed, stop } = await start(applications.folderOf('app-router'), {
      PATHFINDER_WEBHOOK_SECRET: SECRET,
    });
    onTestFinished(() => void stop());
    expect((await sendRaw(`${origin}/webhooks/queued`, forged(bodyOf()))).status).toBe(401);
    expect((await sendRaw(`${origin}/webhooks/queued`, signed(bodyOf()))).status).toBe(202);
    await vi.waitFor(() => expect(printed()).toContain('drained evt_1'), 5000);
  });
}

it(`next ${MAJOR} pages router without bodyParser: false logs what is missing`, async () => {
  const { run, log, send } = await servedAt('pages-router', 'parsed');
  expect(await send(signed(bodyOf(), JSON_TYPE))).toEqual(refused('body_already_parsed'));
  expect(await send(forged(bodyOf(), JSON_TYPE))).toEqual(refused('body_already_parsed'));
  expect([run, log.map(({ message }) => message)]).toEqual([
    [],
    Array(2).fill(expect.stringContaining('The body was parsed')),
  ]);
});

// Next 15.0 runs the middleware of only one application in a process.
describe.each(isFloor ? ROUTERS.slice(0, 1) : ROUTERS)(`next ${MAJOR} behind its proxy, %s`, (router) => {
  it('accepts a body that the proxy left whole', async () => {
    const { run, send } = await servedAt(router, 'proxied');
    expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
    expect(await send(forged(bodyOf({ id: 'evt_2' })))).toEqual(refused('invalid_signature'));
    expect(run).toEqual(['evt_1']);
  });

  if (isFloor) return;

  it('reports a body that the proxy truncated and how to exclude the route', async () => {
    const { run, log, send } = await servedAt(router, 'proxied');
    const long = bodyOf({ data: { user: { bio: 'x'.repeat(4096) } } });
    expect(await send(signed(long))).toEqual(refused('body_already_parsed'));
    expect(await send(forged(long))).toEqual(refused('body_already_parsed'));
    expect([run, log.map(({ message }) => message)]).toEqual([
      [],
      Array(2).fill(expect.stringContaining('a proxy cut it. Next: keep the route out of its matcher')),
    ]);
  });
});

// A route exports POST alone: all else Next answers by itself.
const methodsOfTheRouter = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
describeAdapter(`next ${MAJOR}, app-router`, mountOn('app-router'), { methodsOfTheRouter, alone: true });
describeAdapter(`next ${MAJOR}, pages-router`, mountOn('pages-router'), { alone: true });

function mountOn(router: Router): Mount {
  return async (webhooks) => {
    const { origin } = servers.get(router) ?? (await serveInProcess(router));
    (globalThis as { pathfinderReceiver?: WebhookReceiver }).pathfinderReceiver = webhooks;
    return { url: `${origin}${PATHS[router]}/matrix`, withoutOwn, close: async () => undefined };
  };
}

// Next tells caches of its own headers, and sends replies in chunks.
function withoutOwn({ status, headers: { vary: _, ...headers }, body }: RawReply): RawReply {
  const length = headers['content-length'] ?? String(Buffer.byteLength(body));
  return { status, headers: { ...headers, 'content-length': length }, body };
}

const JSON_TYPE = { headers: [['content-type', 'application/json']] } as const;

async function servedAt(router: Router, route: string) {
  const logger = recordingLogger();
  const run: string[] = [];
  const webhooks = new WebhookHandler({ secret: SECRET, logger }).on('*', ({ id }) => void run.push(id));
  const { url } = await mountOn(router)(webhooks, { logger });
  const send = async (request: RawRequest) => withoutOwn(await sendRaw(url.replace('matrix', route), request));
  return { run, log: logger.lines, send };
}

type Next = (options: object) => { prepare(): Promise<void>; getRequestHandler(): RequestListener };

async function serveInProcess(router: Router): Promise<Listening> {
  const next = applications.require('next') as Next;
  const app = next({ dir: applications.folderOf(router), dev: false });
  await app.prepare();
  const server = await listen(app.getRequestHandler());
  servers.set(router, server);
  return server;
}
