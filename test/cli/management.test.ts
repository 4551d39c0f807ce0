import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { createSandbox, type DeliveryTarget, deliver, signedRequest } from '@pathfinder/webhooks/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';
import { nowhere, recordingServer, serverWith } from '../support/test-server.ts';

async function box(options: Parameters<typeof createSandbox>[0] = {}) {
  const sandbox = await createSandbox({ token: 'a-token-of-the-api', ...options });
  onTestFinished(() => sandbox.close());
  const env = {
    PATHFINDER_API_TOKEN: sandbox.token,
    PATHFINDER_API_URL: sandbox.url,
    PATHFINDER_WEBHOOK_SECRET: SECRET,
  };
  const cwd = emptyFolder();
  return { sandbox, cwd, env, call: (line: string, more = {}) => commandLine(line, { env, cwd, ...more }) };
}

async function idsIn(call: (line: string) => Promise<{ stdout: string }>): Promise<readonly string[]> {
  const { items } = JSON.parse((await call('endpoints list --json')).stdout) as { items: { id: string }[] };
  return items.map(({ id }) => id);
}

const URL_OPTION = '--url http://127.0.0.1:9/webhooks/pathfinder';

describe('endpoints', () => {
  it('creates, lists, updates, tests, syncs and deletes endpoints', async () => {
    const { call } = await box();
    const created = await call(`endpoints create ${URL_OPTION} --events user.created,user.deleted --show-key --json`);
    const { action, webhook, signing_key } = JSON.parse(created.stdout) as {
      action: string;
      webhook: { id: string };
      signing_key: string;
    };
    expect([created.code, action, webhook]).toEqual([
      0,
      'created',
      expect.objectContaining({ active: true, events: ['user.created', 'user.deleted'] }),
    ]);
    expect(signing_key).toMatch(/^whsec_/);
    expect(await idsIn(call)).toEqual([webhook.id]);
    const updated = await call(`endpoints update ${webhook.id} --inactive --events auth.login --json`);
    expect(JSON.parse(updated.stdout)).toMatchObject({
      action: 'updated',
      webhook: { active: false, events: ['auth.login'] },
    });
    expect((await call(`endpoints test ${webhook.id} --event auth.login`)).code).toBe(1);
    await call(`endpoints update ${webhook.id} --active`);
    expect((await call(`endpoints test ${webhook.id} --event auth.login`)).code).toBe(0);
    const synced = await call(`endpoints sync ${URL_OPTION} --events user.created --show-key --json`);
    expect(JSON.parse(synced.stdout)).toMatchObject({ action: 'updated', webhook: { events: ['user.created'] } });
    expect((await call(`endpoints delete ${webhook.id}`)).code).toBe(2);
    expect(await idsIn(call)).toEqual([webhook.id]);
    expect(await call(`endpoints delete ${webhook.id} --yes`)).toEqual({
      code: 0,
      stdout: `✓ deleted ${webhook.id}\n`,
      stderr: '',
    });
    expect(await idsIn(call)).toEqual([]);
    expect((await call(`endpoints delete ${webhook.id} --yes`)).code).toBe(1);
  });

  it('writes the signing key to the given file only, never to the output, and overwrites no file', async () => {
    const { call, cwd } = await box();
    const line = `endpoints create ${URL_OPTION} --events user.created --with-secret`;
    const nowhereToGo = await call(line);
    expect([nowhereToGo.code, await idsIn(call)]).toEqual([2, []]);
    writeFileSync(join(cwd, '.env'), 'A=1');
    const { code, stdout, stderr } = await call(`${line} --write-env .env`);
    const written = readFileSync(join(cwd, '.env'), 'utf8');
    const key = /^A=1\nPATHFINDER_WEBHOOK_SIGNING_KEY=(whsec_\S+)\n$/.exec(written)?.[1] ?? 'none';
    expect([code, key]).toEqual([0, expect.stringMatching(/^whsec_/)]);
    expect(stdout).toContain('in .env as PATHFINDER_WEBHOOK_SIGNING_KEY (fingerprint ');
    expect(stdout + stderr).not.toContain(key);
    expect(stdout + stderr).not.toContain(SECRET);
    const again = await call(`${line} --write-env .env`);
    expect([
      again.code,
      again.stderr.split('\n')[0],
      (await idsIn(call)).length,
      readFileSync(join(cwd, '.env'), 'utf8'),
    ]).toEqual([3, '✗ .env has a value for PATHFINDER_WEBHOOK_SIGNING_KEY.', 1, written]);
    await call(`${line} --write-env`);
    expect(statSync(join(cwd, '.env.local')).mode & 0o777).toBe(0o600);
  });

  it('reports a bad token, address or response with the right exit code', async () => {
    const { call, env } = await box();
    const list = async (changes: Record<string, string>) => {
      const { code, stdout, stderr } = await call('endpoints list --json', { env: { ...env, ...changes } });
      expect(stdout).toBe('');
      return [code, (JSON.parse(stderr) as { error: { code: string } }).error.code];
    };
    const answering = async (reply: Parameters<typeof recordingServer>[0]) => (await recordingServer(reply)).url.origin;
    expect(await list({ PATHFINDER_API_TOKEN: 'wrong' })).toEqual([3, 'api_unauthorized']);
    expect(await list({ PATHFINDER_API_TOKEN: '' })).toEqual([3, 'api_not_configured']);
    expect(await list({ PATHFINDER_API_URL: 'http://api.example' })).toEqual([3, 'api_not_configured']);
    expect(await list({ PATHFINDER_API_URL: (await nowhere()).origin })).toEqual([4, 'api_unreachable']);
    expect(await list({ PATHFINDER_API_URL: await answering(() => ({ status: 200, body: '<html>' })) })).toEqual([
      1,
      'api_invalid_response',
    ]);
    expect(
      await list({
        PATHFINDER_API_URL: await answering(() => ({ status: 302, headers: { location: 'http://127.0.0.1:1/' } })),
      }),
    ).toEqual([1, 'api_redirected']);
    const { stderr } = await call('endpoints list', { env: { ...env, PATHFINDER_API_TOKEN: 'wrong' } });
    expect(stderr.split('\n')).toEqual([
      '✗ The API refused the token.',
      expect.stringContaining('Check that it is current'),
      '',
    ]);
  });

  it('rejects invalid arguments before any request is sent', async () => {
    const { call } = await box();
    for (const line of [
      'endpoints create --show-key',
      `endpoints create ${URL_OPTION} --events , --show-key`,
      'endpoints update webhook_1',
      'endpoints update webhook_1 --active --inactive',
      'endpoints',
      'endpoints test webhook_1',
      'endpoints lst',
    ]) {
      expect((await call(line)).code, line).toBe(2);
    }
    expect((await call('endpoints lst')).stderr).toContain('Did you mean one of list, ls?');
  });
});

describe('sandbox', () => {
  it('delivers the configured events to a receiver and reports the results', async () => {
    let runs = 0;
    const webhooks = new WebhookHandler({ secret: SECRET });
    webhooks.on('*', () => void runs++, { name: 'count' });
    const url = await serverWith(toNodeListener(webhooks));
    const { code, stdout, stderr } = await commandLine(`sandbox --to ${url} --send all --duplicate-rate 1 --seed 7`);
    expect([code, runs]).toEqual([0, 19]);
    expect(stdout.trim().split('\n').length).toBe(38);
    expect(stderr).toBe('19 of 19 delivered in 38 attempts, seed 7\n');
    const { url: refusing } = await recordingServer(() => ({ status: 500 }));
    expect((await commandLine(`sandbox --to ${refusing} --send user.created`)).code).toBe(1);
  });

  it("runs until it is interrupted, and prints the API's address and token", async () => {
    const interrupt = new AbortController();
    let out = '';
    const run = commandLine('sandbox --json', {
      signal: interrupt.signal,
      onOut: (text) => {
        out += text;
      },
    });
    while (!out.includes('\n')) await new Promise((resolve) => setTimeout(resolve, 5));
    const { url, token } = JSON.parse(out) as { url: string; token: string };
    const env = { PATHFINDER_API_URL: url, PATHFINDER_API_TOKEN: token };
    expect((await commandLine('endpoints list --json', { env })).stdout).toBe('{"items":[],"total":0}\n');
    interrupt.abort();
    expect((await run).code).toBe(130);
  });

  it('rejects invalid arguments', async () => {
    for (const line of [
      'sandbox --send all',
      'sandbox --to http://192.0.2.1/ --send all',
      'sandbox --to localhost:1 --send user.creatd',
      'sandbox --duplicate-rate 2',
    ]) {
      expect((await commandLine(line)).code, line).toBe(2);
    }
    expect((await commandLine('sandbox --to localhost:1 --send all', { env: {} })).code).toBe(3);
  });
});

describe('init', () => {
  it.each([
    ['express', { express: '5' }, 'toExpressHandler'],
    ['next', { next: '16', express: '5' }, 'toNextRoute'],
    ['fastify', { fastify: '5' }, 'toFastifyPlugin'],
    ['hono', { hono: '4' }, 'toHonoHandler'],
    ['node', {}, 'toNodeListener'],
  ])('finds %s, prints its route and changes nothing', async (framework, dependencies, name) => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ dependencies }));
    const { code, stdout } = await commandLine('init --json', { cwd, env: {} });
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({
        framework,
        secret: 'missing',
        route: expect.objectContaining({ path: '/webhooks/pathfinder', code: expect.stringContaining(name) }),
      }),
    ]);
    expect(statSync(cwd).isDirectory() && (await commandLine('init', { cwd, env: {} })).stdout).toContain(
      '--yes writes one',
    );
  });

  it.each(['express', 'next', 'fastify', 'hono', 'node'])(
    'prints a route of %s that works unchanged',
    async (framework) => {
      const { stdout } = await commandLine(`init --framework ${framework} --json`, { env: {} });
      const { route } = JSON.parse(stdout) as { route: { code: string } };
      const preludes: Readonly<Record<string, string>> = {
        express: "import express from 'express'; export const app = express();",
        fastify: "import fastify from 'fastify'; export const app = fastify();",
        hono: "import { Hono } from 'hono'; export const app = new Hono();",
      };
      const folder = join('reports', `init-${process.pid}`);
      mkdirSync(folder, { recursive: true });
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(process.cwd(), folder, `${framework}.ts`);
      const code = route.code.replace('createServer(', 'export const app = createServer(').replace('.listen(3000)', '');
      writeFileSync(file, `${preludes[framework] ?? ''}\n${code}\n`);
      vi.stubEnv('PATHFINDER_WEBHOOK_SECRET', SECRET);
      const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
      onTestFinished(() => {
        vi.unstubAllEnvs();
        log.mockRestore();
      });
      const { app, POST } = (await import(/* @vite-ignore */ file)) as { app?: DeliveryTarget; POST?: DeliveryTarget };
      const target = app ?? POST;
      if (!target) throw new Error('The route exports nothing.');
      const delivery = signedRequest('user.created', { secret: SECRET });
      expect((await deliver(target, delivery)).json).toMatchObject({ status: 'processed', processed: 1 });
      expect((await deliver(target, delivery.tampered())).status).toBe(401);
      expect(log.mock.calls).toEqual([[delivery.event.data.user.email]]);
    },
  );

  it('writes a working secret on request and never overwrites an existing one', async () => {
    const cwd = emptyFolder();
    const { stdout } = await commandLine('init --yes', { cwd, env: {} });
    const file = readFileSync(join(cwd, '.env.local'), 'utf8');
    expect(file).toMatch(/^PATHFINDER_WEBHOOK_SECRET=whsec_local_[0-9a-f]{48}\n$/);
    expect(stdout).not.toContain(file.trim().split('=')[1]);
    await commandLine('init --yes', { cwd, env: {} });
    expect(readFileSync(join(cwd, '.env.local'), 'utf8')).toBe(file);
    expect((await commandLine('sign', { cwd, env: {}, stdin: 'x' })).code).toBe(0);
  });

  it('reports a broken package.json and an invalid path', async () => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'package.json'), '{');
    expect((await commandLine('init', { cwd })).code).toBe(3);
    expect((await commandLine('init --framework hono', { cwd })).code).toBe(0);
    expect((await commandLine(['init', '--framework', 'hono', '--path', "/a');evil('"])).code).toBe(2);
  });
});
