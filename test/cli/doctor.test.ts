import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebhookHandler } from '@pathfinder/webhooks';
import { PathfinderWebhooksClient } from '@pathfinder/webhooks/client';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { createSandbox } from '@pathfinder/webhooks/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';
import { sign } from '../support/deliver.ts';
import { nowhere, recordingServer, serverWith } from '../support/test-server.ts';

async function problems(line: string, options: Parameters<typeof commandLine>[1] = {}) {
  const { code, stdout } = await commandLine(`doctor --json ${line}`, options);
  const { ok, checks } = JSON.parse(stdout) as {
    ok: boolean;
    checks: { id: string; ok: boolean; state: string; detail: string; fix?: string }[];
  };
  expect(code).toBe(ok ? 0 : 1);
  for (const check of checks.filter(({ ok }) => !ok)) expect(check.fix, check.id).toBeTruthy();
  return { checks, ids: checks.filter(({ ok }) => !ok).map(({ id }) => id) };
}

function receiver(secret = SECRET) {
  const ran: string[] = [];
  const webhooks = new WebhookHandler({ secret, logger: { debug() {}, info() {}, warn() {}, error() {} } });
  webhooks.on('user.*', ({ type }) => void ran.push(type), { name: 'record' });
  return { webhooks, ran };
}

describe('doctor', () => {
  it('finds no problem with a receiver of this package and runs none of its handlers', async () => {
    const { webhooks, ran } = receiver();
    const { checks, ids } = await problems(`--to ${await serverWith(toNodeListener(webhooks))}`);
    expect([ids, ran]).toEqual([[], []]);
    expect(checks.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'node ok',
      'package ok',
      'secret ok',
      'reachable ok',
      'signature ok',
      'raw_body ok',
      'forgery ok',
      'duplicate ok',
      'body_limit ok',
      'store skipped',
      'endpoint skipped',
    ]);
  });

  it('names the matching secret during a rotation', async () => {
    const { webhooks } = receiver('the-signing-key-of-pathfinder');
    const env = { PATHFINDER_WEBHOOK_SECRET: SECRET, PATHFINDER_WEBHOOK_SIGNING_KEY: 'the-signing-key-of-pathfinder' };
    const { checks, ids } = await problems(`--to ${await serverWith(toNodeListener(webhooks))}`, { env });
    expect(ids).toEqual([]);
    expect(checks.find(({ id }) => id === 'signature')?.detail).toBe(
      'a signed event was accepted with PATHFINDER_WEBHOOK_SIGNING_KEY',
    );
    expect(JSON.stringify(checks)).not.toContain(env.PATHFINDER_WEBHOOK_SIGNING_KEY);
  });

  it('distinguishes a parsed body, a re-serialized body, a wrong secret, a missing signature check and a crash', async () => {
    const { webhooks } = receiver();
    const parsed = express();
    parsed.use(express.json());
    parsed.post('/webhooks/pathfinder', toExpressHandler(webhooks));
    expect((await problems(`--to ${await serverWith(parsed)}`)).ids).toEqual(['raw_body']);

    const serialised = express();
    serialised.use(express.json({ limit: '1mb' }));
    serialised.post('/webhooks/pathfinder', (request, response) => {
      response.sendStatus(
        sign(JSON.stringify(request.body), SECRET) === request.headers['x-pathfinder-signature'] ? 200 : 401,
      );
    });
    expect((await problems(`--to ${await serverWith(serialised)}`)).ids).toEqual(['raw_body']);

    expect(
      (await problems(`--to ${await serverWith(toNodeListener(receiver('another-secret-of-all').webhooks))}`)).ids,
    ).toEqual(['signature']);
    expect((await problems(`--to ${(await recordingServer()).url}`)).ids).toEqual(['forgery']);

    const crashing = express();
    crashing.post('/webhooks/pathfinder', express.raw({ type: '*/*', limit: '1mb' }), (request, response) => {
      const given = String(request.headers['x-pathfinder-signature']);
      response.sendStatus(given.length !== 71 ? 500 : given === sign(request.body as Buffer, SECRET) ? 200 : 401);
    });
    expect((await problems(`--to ${await serverWith(crashing)}`)).ids).toEqual(['forgery']);
  });

  it('continues when the app crashes on a forgery', async () => {
    const url = await serverWith((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const given = request.headers['x-pathfinder-signature'];
        if (given?.length !== 71) request.socket.destroy();
        else response.writeHead(given === sign(Buffer.concat(chunks), SECRET) ? 200 : 401).end();
      });
    });
    const { ids, checks } = await problems(`--to ${url}`);
    expect(ids).toEqual(['forgery']);
    expect(checks.find(({ id }) => id === 'forgery')?.detail).toMatch(
      /^no signature was answered with nothing \(ECONNRESET /,
    );
    expect(checks.map(({ id }) => id)).toContain('endpoint');
  });

  it('finds a body limit that is too low, an address that does not respond, and a redirect', async () => {
    const small = express();
    small.post('/webhooks/pathfinder', express.raw({ type: '*/*' }), (request, response) => {
      response.sendStatus(
        request.headers['x-pathfinder-signature'] === sign(request.body as Buffer, SECRET) ? 200 : 401,
      );
    });
    expect((await problems(`--to ${await serverWith(small)}`)).ids).toEqual(['body_limit']);
    expect((await problems(`--to ${await nowhere()}`)).ids).toEqual(['reachable']);
    expect(
      (await problems(`--to ${(await recordingServer(() => ({ status: 307, headers: { location: '/login' } }))).url}`))
        .ids,
    ).toEqual(['signature']);
  });

  it('finds set-up mistakes in the project', async () => {
    expect((await problems('--offline', { env: {} })).ids).toEqual(['secret']);
    expect((await problems('--offline', { env: { PATHFINDER_WEBHOOK_SECRET: 'short' } })).ids).toEqual(['secret']);
    expect((await problems('--offline', { env: { PATHFINDER_WEBHOOK_SECRET: `${SECRET}\n` } })).ids).toEqual([
      'secret',
    ]);
    const cwd = emptyFolder();
    writeFileSync(join(cwd, '.env'), 'PATHFINDER_WEBHOOK_SECRET=another-secret-of-all');
    expect((await problems('--offline', { cwd })).ids).toEqual(['secret_sources']);
    expect((await problems('--offline --store none.db')).ids).toEqual(['store']);
  });

  it('checks whether Pathfinder sends to this receiver', async () => {
    const box = await createSandbox();
    onTestFinished(() => box.close());
    const client = new PathfinderWebhooksClient({ token: box.token, baseUrl: box.url });
    const env = { PATHFINDER_API_URL: box.url, PATHFINDER_API_TOKEN: box.token, PATHFINDER_WEBHOOK_SECRET: SECRET };
    const url = (await nowhere()).href;
    const endpoint = async (line = '') =>
      (await problems(`--offline --to ${url} ${line}`, { env })).checks.find(({ id }) => id === 'endpoint')?.state;
    expect(await endpoint()).toBe('skipped');
    expect(await endpoint('--to https://app.example.com/webhooks/pathfinder')).toBe('problem');
    const { id } = await client.create({ url, events: ['user.created'], active: false });
    expect(await endpoint()).toBe('problem');
    await client.update(id, { active: true });
    expect(await endpoint()).toBe('ok');
    await client.create({ url, events: ['user.created'] });
    expect(await endpoint()).toBe('problem');
    const { code } = await commandLine(`doctor --offline --to ${url}`, {
      env: { ...env, PATHFINDER_API_TOKEN: 'wrong' },
    });
    expect(code).toBe(1);
  });
});
