// Every block of README.md and docs/frameworks.md that mounts a receiver is run, and sent what the world sends.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import type { WebhookReply } from '@pathfinder/webhooks';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { accepted, forged, refused, signed } from './adapters/harness.ts';
import { listenAt } from './adapters/listen.ts';
import { sendRaw } from './adapters/raw-client.ts';
import { bodyOf, SECRET } from './support/deliver.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'reports', `docs-${process.pid}`);
const PATH = '/webhooks/pathfinder';

interface Snippet {
  readonly page: string;
  readonly place: string;
  readonly code: string;
}

type Module = Readonly<Record<string, unknown>>;
type Fetch = (request: Request) => Promise<Response>;

/** How a block is served, told by a word in it. The first that fits. */
const WAYS: readonly (readonly [word: string, serve: (block: Module) => Promise<string>])[] = [
  ['express()', async ({ server }) => `${originOf(server)}${PATH}`],
  ['fastify(', async ({ app }) => `${originOf((app as { server: unknown }).server)}${PATH}`],
  ['toNodeListener(', async ({ server }) => `${originOf(server)}${PATH}`],
  [
    'toNextApiHandler(',
    ({ default: route, config }) => {
      expect(config).toEqual({ api: { bodyParser: false } });
      return serve(route as RequestListener);
    },
  ],
  ['toNextRoute(', ({ POST }) => serveWeb(POST as Fetch)],
  ['new Hono()', ({ default: app }) => serveWeb((app as { fetch: Fetch }).fetch)],
  [
    'export const POST',
    ({ POST }) => serveWeb((request) => (POST as (event: object) => Promise<Response>)({ request })),
  ],
  [
    'export const action',
    ({ action }) => serveWeb((request) => (action as (event: object) => Promise<Response>)({ request })),
  ],
  ['eventHandler', ({ eventHandler }) => serveWeb(eventHandler as Fetch)],
  ['export default {', ({ default: app }) => serveWeb((app as { fetch: Fetch }).fetch)],
  ['webhooks.receive(', ({ receive }) => serve(byItself(receive as Receive))],
];

type Receive = (incoming: object) => Promise<WebhookReply>;

const snippets = ['README.md', 'docs/frameworks.md'].flatMap(snippetsOf);

beforeAll(() => {
  vi.stubEnv('PATHFINDER_WEBHOOK_SECRET', SECRET);
  for (const level of ['log', 'warn', 'error'] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
});
afterAll(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it('the pages mount every adapter', () => {
  const mounted = new Set(snippets.flatMap(({ code }) => code.match(/\bto[A-Z]\w+(?=\(webhooks\))/g) ?? []));
  expect([...mounted].sort()).toEqual([
    'toExpressHandler',
    'toFastifyPlugin',
    'toFetchHandler',
    'toHonoHandler',
    'toNextApiHandler',
    'toNextRoute',
    'toNodeListener',
  ]);
  expect(snippets.length).toBeGreaterThanOrEqual(14);
});

it('the first screen mounts all four in at most eight lines each', () => {
  const lines = snippets
    .filter(({ page }) => page === 'README.md')
    .map(({ code }) => code.trimEnd().split('\n').length);
  expect([lines.length, lines.filter((count) => count > 8)]).toEqual([4, []]);
});

describe.each(snippets)('$place', ({ page, code }) => {
  it('takes a delivery, and refuses what it must', async () => {
    const served = WAYS.find(([word]) => code.includes(word));
    if (!served) throw new Error('Nobody knows how to serve this block.');
    const url = await served[1](await load(page, code));
    const send = (request: Parameters<typeof sendRaw>[1]) => sendRaw(url, request);
    expect(await send({ pieces: [bodyOf()] })).toEqual(refused('invalid_signature'));
    expect(await send(forged(bodyOf()))).toEqual(refused('invalid_signature'));
    expect(await send(signed(Buffer.from('{"id":')))).toEqual(refused('invalid_json'));
    expect(await send(signed(Buffer.alloc(1_048_577, ' ')))).toEqual(refused('body_too_large'));
    expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
    expect(await send(signed(bodyOf()))).toEqual(accepted('duplicate'));
  });
});

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].flatMap(({ 1: code = '', index }): Snippet[] => {
    const mounts = /\bto[A-Z]\w+\(webhooks\)|webhooks\.receive\(/.test(code);
    const line = text.slice(0, index).split('\n').length;
    return mounts ? [{ page, place: `${page}:${line}`, code }] : [];
  });
}

let loaded = 0;

// As it stands on the page, but for the port, and with what it keeps to itself made visible.
async function load(page: string, code: string): Promise<Module> {
  const own = join(folder, String(loaded++));
  mkdirSync(own, { recursive: true });
  const [, shared = ''] = /^```ts\n(\/\/ webhooks\.ts\n.*?)^```/ms.exec(readFileSync(join(root, page), 'utf8')) ?? [];
  writeFileSync(join(own, 'webhooks.ts'), shared);
  const shown = code
    .replace(/'(\.\.\/)+webhooks'/, "'./webhooks.js'")
    .replace(/^(app|createServer\(.*\))\.listen\(3000\)/m, 'export const server = $1.listen(0)')
    .replace('port: 3000', 'port: 0')
    .replace(/^const app = fastify\(.*\)/m, 'export const app = fastify({ forceCloseConnections: true })')
    .replace(/^declare function (toWebRequest)\(.*$/m, 'const $1 = (event: unknown) => event as Request;');
  writeFileSync(join(own, 'block.ts'), shown);
  return (await import(/* @vite-ignore */ join(own, 'block.ts'))) as Module;
}

async function serve(listener: RequestListener): Promise<string> {
  const { url, close } = await listenAt(PATH, listener);
  onTestFinished(close);
  return url;
}

function serveWeb(handle: Fetch): Promise<string> {
  return serve(getRequestListener(handle));
}

function byItself(receive: Receive): RequestListener {
  return async (request, response) => {
    const bytes = Buffer.concat(await request.toArray());
    const { status, headers, body } = await receive({ method: request.method, headers: request.headers, bytes });
    response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
  };
}

function originOf(given: unknown): string {
  const server = given as Server;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('It does not listen on a port.');
  return `http://127.0.0.1:${address.port}`;
}
