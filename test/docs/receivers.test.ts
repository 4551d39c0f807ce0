// Every block of README.md and docs/ that receives is run, and sent what the world sends.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { type WebhookEventType, WebhookHandler, type WebhookReply } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { sampleEvent } from '@pathfinder/webhooks/testing';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { accepted, forged, refused, signed } from '../adapters/harness.ts';
import { listenAt } from '../adapters/listen.ts';
import { sendRaw } from '../adapters/raw-client.ts';
import { bodyOf, SECRET } from '../support/deliver.ts';
import { PAGES } from '../support/pages.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { testRedis } from '../support/services/redis.ts';
import { describeWith } from '../support/services/services.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
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
  [
    'createApp(',
    ({ createApp }) => serve((createApp as CreateApp)(new WebhookHandler(SECRET).on('*', () => undefined))),
  ],
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
type Check = () => Promise<readonly number[]>;
type CreateApp = (webhooks: WebhookHandler) => RequestListener;
type CreateWebhooks = (secret: string, sendMail: () => Promise<void>) => WebhookHandler;

const MOUNTS = /\bto[A-Z]\w+\(webhooks\)|webhooks\.receive\(/;
const HANDLES = /\bnew WebhookHandler\(|\bwebhooks\.on\(/;
// The blocks of docs/testing.md that are tests are run by their runners in test/packed/recipes.test.ts.
const delivering = PAGES.flatMap(blocksOf).filter(({ code }) => code.includes('export async function check('));
const blocks = PAGES.flatMap(blocksOf).filter((block) => !/\btest\('|function check\(/.test(block.code));
const snippets = blocks.filter(({ code }) => MOUNTS.test(code));
const handlers = blocks.filter(({ code }) => HANDLES.test(code) && !MOUNTS.test(code));

beforeAll(() => {
  vi.stubEnv('PATHFINDER_WEBHOOK_SECRET', SECRET);
  for (const level of ['log', 'warn', 'error'] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
});
afterAll(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it('the documentation mounts every adapter', () => {
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
  expect(snippets.length).toBeGreaterThanOrEqual(13);
});

it('the README mounts all four frameworks in at most nine lines each', () => {
  const [whole, ...others] = snippets
    .filter(({ page }) => page === 'README.md')
    .map(({ code }) => code.trimEnd().split('\n').length);
  expect([whole, others.length, others.filter((count) => count > 8)]).toEqual([9, 3, []]);
});

it('the documentation has code blocks of every kind of handler', () => {
  const found = new Set(handlers.map(({ page }) => page));
  expect([...found].sort()).toEqual([
    'README.md',
    'docs/bullmq.md',
    'docs/deployment.md',
    'docs/durability.md',
    'docs/events.md',
    'docs/frameworks.md',
    'docs/handlers.md',
    'docs/idempotency.md',
    'docs/logging.md',
    'docs/observability.md',
    'docs/order.md',
    'docs/pg-boss.md',
    'docs/postgres.md',
    'docs/redis.md',
    'docs/retries.md',
    'docs/sqlite.md',
    'docs/testing.md',
    'skills/pathfinder-webhooks/SKILL.md',
    'skills/pathfinder-webhooks/references/durability.md',
  ]);
  expect(handlers.length).toBeGreaterThanOrEqual(13);
});

const alone = handlers.filter(({ code }) => serviceOf(code) === undefined);
describe.each(alone)('the receiver at $place, mounted on its own server', ({ page, code }) => {
  it('accepts a signed delivery and rejects forged, unreadable and oversized ones', () => takesAndRefuses(page, code));
});

for (const service of ['redis', 'postgres'] as const) {
  describeWith(service, `code blocks that need ${service}`, (address) => {
    const names = service === 'redis' ? onRedis(address) : onPostgres(address);
    const those = handlers.filter(({ code }) => serviceOf(code) === service);
    it.each(those)('the receiver at $place accepts a signed delivery and rejects forged ones', ({ page, code }) =>
      takesAndRefuses(page, names(code)),
    );
  });
}

/** The server that a block needs. */
function serviceOf(code: string): 'redis' | 'postgres' | undefined {
  if (code.includes("from 'ioredis'")) return 'redis';
  return code.includes("from 'pg'") ? 'postgres' : undefined;
}

/** Gives each block keys of its own. */
function onRedis(address: string): (code: string) => string {
  const { keyPrefix } = testRedis(address);
  let used = 0;
  return (code) => {
    const prefix = `${keyPrefix}${used++}:`;
    return code
      .replace(/process\.env\.REDIS_URL \?\? '[^']+'/, `'${address}'`)
      .replace('redisStore(redis)', `redisStore(redis, { keyPrefix: '${prefix}' })`)
      .replace('bullmqQueue({', `bullmqQueue({ prefix: '${prefix}bull',`);
  };
}

/** Gives each block tables of its own. */
function onPostgres(address: string): (code: string) => string {
  const { schema, pool } = testPostgres(address);
  afterAll(() => pool({ max: 1 }).query(`DROP SCHEMA IF EXISTS ${schema}_boss CASCADE`));
  const here = new URL(address);
  here.searchParams.set('options', `-c search_path=${schema}`);
  let used = 0;
  return (code) => {
    const namespace = `'block_${used++}'`;
    return code
      .replace(/process\.env\.DATABASE_URL( \?\? '[^']+')?/, `'${here.href}'`)
      .replace('postgresStore(pool)', `postgresStore(pool, { namespace: ${namespace} })`)
      .replace('pgBossQueue(boss, { pool })', `pgBossQueue(boss, { pool, namespace: ${namespace} })`)
      .replace('new PgBoss(connectionString)', `new PgBoss({ connectionString, schema: '${schema}_boss' })`);
  };
}

async function takesAndRefuses(page: string, code: string): Promise<void> {
  const block = await load(page, code);
  const webhooks = (block.webhooks ??
    (block.createWebhooks as CreateWebhooks)(SECRET, async () => {})) as WebhookHandler;
  onTestFinished(() => webhooks.stop());
  const url = await serve(toNodeListener(webhooks));
  const send = (request: Parameters<typeof sendRaw>[1]) => sendRaw(url, request);
  const type = /\.on\(\s*'(\w+\.\w+)'/.exec(code)?.[1] ?? 'user.created';
  const body = Buffer.from(JSON.stringify(sampleEvent(type as WebhookEventType)));
  const whole = code.includes("from './webhooks.js'") ? code + sharedOf(page) : code;
  const runs = [...whole.matchAll(/\.on\(\s*'(.*?)'/g)].filter(([, name]) => name === '*' || name === type).length;
  const ran = runs > 0 ? accepted('processed', runs) : accepted('unhandled');
  const queued = /\b(sqlite|bullmq|pgBoss)Queue\(/.test(code);
  expect(await send({ pieces: [body] })).toEqual(refused('invalid_signature'));
  expect(await send(forged(body))).toEqual(refused('invalid_signature'));
  expect(await send(signed(Buffer.from('{"id":')))).toEqual(refused('invalid_json'));
  expect(await send(signed(Buffer.alloc(1_048_577, ' ')))).toEqual(refused('body_too_large'));
  expect(await send(signed(body))).toEqual(queued ? accepted('queued') : ran);
  if (queued && !code.includes('webhooks.start(')) expect(await webhooks.drain({ maxMs: 5000 })).toBe(1);
  const told = ({ processed, unhandled, failed } = webhooks.metrics.getStats()) => [processed, unhandled, failed];
  await vi.waitFor(() => expect(told()).toEqual(runs > 0 ? [1, 0, 0] : [0, 1, 0]));
  // Without a handler there is nothing to remember, except in a queue, which keeps what it has acknowledged.
  expect(await send(signed(body))).toEqual(accepted(queued || runs > 0 ? 'duplicate' : 'unhandled'));
}

it('the testing block of the skill accepts, deduplicates and rejects deliveries', async () => {
  const statuses = delivering.map(async ({ page, code }) => ((await load(page, code)).check as Check)());
  expect(await Promise.all(statuses)).toEqual([[200, 200, 401, 401]]);
});

describe.each(snippets)('the receiver at $place', ({ page, code }) => {
  it('accepts a signed delivery and rejects forged, unreadable and oversized ones', async () => {
    const served = WAYS.find(([word]) => code.includes(word));
    if (!served) throw new Error('Nobody knows how to serve this block.');
    const url = await served[1](await load(page, code));
    const send = (request: Parameters<typeof sendRaw>[1]) => sendRaw(url, request);
    expect(await send({ pieces: [bodyOf()] })).toEqual(refused('invalid_signature'));
    expect(await send(forged(bodyOf()))).toEqual(refused('invalid_signature'));
    expect(await send(signed(Buffer.from('{"id":')))).toEqual(refused('invalid_json'));
    expect(await send(signed(Buffer.alloc(1_048_577, ' ')))).toEqual(refused('body_too_large'));
    expect(await send(signed(bodyOf()))).toEqual(
      code.includes('Queue(') ? accepted('queued') : accepted('processed', 1),
    );
    expect(await send(signed(bodyOf()))).toEqual(accepted('duplicate'));
  });
});

function blocksOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(({ 1: code = '', index }) => {
    const line = text.slice(0, index).split('\n').length;
    return { page, place: `${page}:${line}`, code };
  });
}

/** The file that the blocks of a page import: a block of its own, or the README's. */
function sharedOf(page: string): string {
  const shared = [page, 'README.md'].flatMap(blocksOf).find(({ code }) => code.startsWith('// webhooks.ts\n'));
  return shared?.code ?? '';
}

let loaded = 0;

// As it stands on the page, but for the port, and with what it keeps to itself made visible.
async function load(page: string, code: string): Promise<Module> {
  const own = join(folder, String(loaded++));
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'webhooks.ts'), sharedOf(page));
  const shown = code
    .replace(/'(\.\.\/)+webhooks'/, "'./webhooks.js'")
    .replace(/^(app|createServer\(.*\))\.listen\(3000\)/m, 'export const server = $1.listen(0)')
    .replace('port: 3000', 'port: 0')
    .replace(/^const app = fastify\(.*\)/m, 'export const app = fastify({ forceCloseConnections: true })')
    .replace(/^declare function (toWebRequest)\(.*$/m, 'const $1 = (event: unknown) => event as Request;')
    .replace(/^declare function (parse\w+)\(.*$/m, 'const $1 = JSON.parse;')
    .replace(/^declare const (\w+): .*$/m, 'const $1 = async (options: object) => JSON.stringify(options);')
    .replace(/\b(sqliteQueue|sqliteStore)\('\./g, `$1('${own}`)
    .replace(/'whsec_[^']+'/, `'${SECRET}'`)
    .replace(/^const webhooks = /m, 'export const webhooks = ')
    .replace(/^import { webhooks } .*$/m, '$&\nexport { webhooks };');
  if (code.includes('FROM account')) new Libsql(join(own, 'app.db')).exec('CREATE TABLE account (user_id TEXT)');
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
