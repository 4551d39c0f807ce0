// Mutated deliveries over each adapter, judged by node:crypto alone: a few hundred in the gate, a million in the proof.
import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toHonoHandler } from '@pathfinder/webhooks/hono';
import { toNextApiHandler, toNextRoute } from '@pathfinder/webhooks/next';
import { toNodeListener } from '@pathfinder/webhooks/node';
import express5 from 'express';
// @ts-expect-error: the alias of Express 4 has no types
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import { expect, inject, it, onTestFinished } from 'vitest';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { apiListener, webListener } from './bridges.ts';
import { listen, listenAt } from './listen.ts';

const COUNT = Number(process.env.FUZZ_DELIVERIES ?? 300);
const LANES = 16;
const PATH = '/webhooks/pathfinder';
const REFUSALS = [400, 401, 405, 409, 415, 422];

type Mount = (webhooks: WebhookHandler) => Promise<string>;

async function serve(listening: ReturnType<typeof listenAt>): Promise<string> {
  const { url, close } = await listening;
  onTestFinished(close);
  return url;
}

const onExpress =
  (create: typeof express5): Mount =>
  async (webhooks) => {
    const app = create();
    app.all(PATH, toExpressHandler(webhooks));
    const { origin, close } = await listen(app);
    onTestFinished(close);
    return origin + PATH;
  };

const mounts: Readonly<Record<string, Mount>> = {
  'node:http': (webhooks) => serve(listenAt(PATH, toNodeListener(webhooks))),
  fetch: (webhooks) => serve(listenAt(PATH, getRequestListener(toFetchHandler(webhooks)))),
  hono: (webhooks) => serve(listenAt(PATH, getRequestListener(new Hono().all(PATH, toHonoHandler(webhooks)).fetch))),
  'the Next.js App Router': (webhooks) => serve(listenAt(PATH, webListener(toNextRoute(webhooks)))),
  'the Next.js Pages Router': (webhooks) => serve(listenAt(PATH, apiListener(toNextApiHandler(webhooks)))),
  'Express 5': onExpress(express5),
  'Express 4': onExpress(express4),
  async fastify(webhooks) {
    const app = fastify({ forceCloseConnections: true });
    onTestFinished(() => app.close());
    await app.register(toFastifyPlugin(webhooks), { prefix: PATH });
    return (await app.listen({ port: 0, host: '127.0.0.1' })) + PATH;
  },
};

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Fuzzed {
  readonly method: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Only the header of the delivery has changed, if anything has. */
  readonly isWhole: boolean;
}

function fuzz(random: () => number, id: string): Fuzzed {
  const pick = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)] as T;
  const original = bodyOf({ id });
  const at = Math.floor(random() * original.length);
  const flipped = Buffer.from(original);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  const bodies = [
    original,
    original,
    flipped,
    original.subarray(0, at),
    Buffer.concat([original, original.subarray(0, at)]),
    Buffer.concat([original.subarray(0, at), Buffer.from('\u0000{"[')]),
    Buffer.alloc(0),
  ];
  const body = pick(bodies);
  const signed = pick([original, body, body]);
  const good = sign(signed, pick([SECRET, SECRET, SECRET, 'a guess']));
  const digit = 7 + Math.floor(random() * 64);
  const wrongDigit = good.slice(0, digit) + pick([...'0123456789abcdef']) + good.slice(digit + 1);
  const headers = [
    good,
    good,
    good,
    wrongDigit,
    good.toUpperCase(),
    good.slice(0, -1),
    `${good}0`,
    ` ${good}`,
    '',
    [good, good],
  ];
  const signature = pick<string | readonly string[]>(headers);
  return {
    method: random() < 0.97 ? 'POST' : pick(['GET', 'PUT', 'PATCH', 'DELETE']),
    body,
    isWhole: body.equals(original),
    headers: {
      'x-pathfinder-signature': signature,
      'content-type': pick(['application/json', 'application/json; charset=utf-16', 'text/plain']),
      ...(random() < 0.02 && { 'content-encoding': pick(['gzip', 'identity', 'br']) }),
    },
  };
}

/** Whether the delivery carries the signature of its bytes: judged without the package. */
function isSigned({ body, headers }: Fuzzed): boolean {
  const header = headers['x-pathfinder-signature'];
  return (
    typeof header === 'string' && header.trim() === `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`
  );
}

function send(url: string, { method, body, headers }: Fuzzed, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method, agent, headers: { ...headers, 'content-length': body.length } },
      (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.on('error', reject).end(body);
  });
}

interface Report {
  readonly accepted: number;
  readonly refused: number;
  /** Deliveries that were accepted or refused wrongly, or whose handler ran although they were refused. */
  readonly wrong: readonly unknown[];
}

async function fuzzReceiver(mount: Mount, secret: string | readonly string[], count: number): Promise<Report> {
  const webhooks = new WebhookHandler({ secret, logger: { debug() {}, info() {}, warn() {}, error() {} } });
  const ran = new Set<string>();
  webhooks.on('*', ({ id }) => void ran.add(id));
  const url = await mount(webhooks);
  const agent = new Agent({ keepAlive: true, maxSockets: LANES });
  onTestFinished(() => agent.destroy());
  const random = randomFrom(inject('fastCheckSeed'));
  const wrong: unknown[] = [];
  let accepted = 0;
  let sent = 0;
  const lane = async () => {
    while (sent < count) {
      // An id contains its number twice, so a flipped bit never turns it into the id of another delivery.
      const number = sent++;
      const id = `evt_${number}_${number}`;
      const delivery = fuzz(random, id);
      const status = await send(url, delivery, agent);
      const { method, headers, isWhole } = delivery;
      const isPlain = method === 'POST' && !/gzip|br/.test(String(headers['content-encoding'] ?? ''));
      const mayRun = isSigned(delivery) && isPlain;
      const isRight = status === 200 ? mayRun : REFUSALS.includes(status) && !(mayRun && isWhole);
      if (!isRight || (ran.delete(id) && !mayRun)) wrong.push({ status, ...delivery, body: String(delivery.body) });
      if (status === 200) accepted++;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { accepted, refused: sent - accepted, wrong };
}

it.each(Object.entries(mounts))(
  '%s accepts exactly the signed ones among mutated deliveries',
  { timeout: 30_000 + 5 * COUNT },
  async (_, mount) => {
    const { accepted, refused, wrong } = await fuzzReceiver(mount, SECRET, COUNT);
    expect(wrong).toEqual([]);
    expect([accepted > COUNT / 20, refused > COUNT / 2, accepted + refused]).toEqual([true, true, COUNT]);
  },
);

it('the fuzzer detects a receiver that accepts a second secret or another one', async () => {
  const node = mounts['node:http'] as Mount;
  expect((await fuzzReceiver(node, [SECRET, 'a guess'], 300)).wrong.length).toBeGreaterThan(0);
  expect((await fuzzReceiver(node, 'another secret', 300)).wrong.length).toBeGreaterThan(0);
});
