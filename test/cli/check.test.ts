import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';
import { toFetchHandler } from '@pathfinder/webhooks/fetch';
import { toHonoHandler } from '@pathfinder/webhooks/hono';
import { toNextApiHandler, toNextRoute } from '@pathfinder/webhooks/next';
import { toNodeListener } from '@pathfinder/webhooks/node';
import express from 'express';
// @ts-expect-error: Express 4 without its types, which are those of Express 5 as far as they are used here.
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CASES } from '../../src/cli/actions/check/cases.ts';
import { webListener } from '../adapters/bridges.ts';
import { ensureBuild } from '../support/build.ts';
import { childReceiver } from '../support/check/children.ts';
import { commandLine, emptyFolder, type OnTestFinished, SECRET } from '../support/command-line.ts';
import { recordingLogger, sign } from '../support/deliver.ts';
import { nowhere, recordingServer, serverWith } from '../support/test-server.ts';

interface CheckDocument {
  readonly ok: boolean;
  readonly results: readonly {
    readonly id: string;
    readonly state: string;
    readonly detail: string;
    readonly cure: string;
  }[];
}

async function check(url: URL | string, more: readonly string[] = []) {
  const { code, stdout, stderr } = await commandLine(['check', String(url), '--json', ...more], {
    env: { PATHFINDER_WEBHOOK_SECRET: SECRET, PATH: process.env.PATH ?? '' },
    cwd: '/',
  });
  // Without a document there is a failure to show.
  const { ok, results } = JSON.parse(stdout || stderr) as CheckDocument;
  if (!results) throw new Error(stderr);
  const idsOf = (state: string) => results.filter((result) => result.state === state).map(({ id }) => id);
  return { code, ok, stderr, results, failed: idsOf('failed'), warned: idsOf('warning'), skipped: idsOf('skipped') };
}

const here = (name: string) => fileURLToPath(new URL(`../support/check/${name}`, import.meta.url));

describe('check passes a receiver of this package', () => {
  /** A receiver that leaves a line for each event it acts on. */
  function receiver(whenFinished: OnTestFinished) {
    const effects = join(emptyFolder(whenFinished), 'effects');
    const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger() });
    webhooks.on('*', ({ id }) => appendFileSync(effects, `${id}\n`), { name: 'record' });
    return { webhooks, effects };
  }

  const mounts: Readonly<Record<string, (webhooks: WebhookHandler, whenFinished: OnTestFinished) => Promise<URL>>> = {
    node: (webhooks, end) => serverWith(toNodeListener(webhooks), end),
    fetch: (webhooks, end) => serverWith(webListener(toFetchHandler(webhooks)), end),
    'next, Pages Router': (webhooks, end) => serverWith(toNextApiHandler(webhooks) as RequestListener, end),
    next: (webhooks, end) => serverWith(webListener(toNextRoute(webhooks)), end),
    hono(webhooks, end) {
      const app = new Hono();
      app.post('/webhooks/pathfinder', toHonoHandler(webhooks));
      return serverWith(
        webListener(async (request) => app.fetch(request)),
        end,
      );
    },
    express(webhooks, end) {
      const app = express();
      app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
      return serverWith(app, end);
    },
    'express 4'(webhooks, end) {
      const app = express4();
      app.post('/webhooks/pathfinder', toExpressHandler(webhooks));
      return serverWith(app, end);
    },
    async fastify(webhooks, end) {
      const app = fastify();
      end(() => app.close());
      await app.register(toFastifyPlugin(webhooks), { prefix: '/webhooks/pathfinder' });
      return new URL('/webhooks/pathfinder', await app.listen({ port: 0, host: '127.0.0.1' }));
    },
  };

  it.concurrent.for(Object.entries(mounts))(
    'passes a receiver mounted on %s',
    { timeout: 60_000 },
    async ([, mount], { onTestFinished }) => {
      const { webhooks, effects } = receiver(onTestFinished);
      const { code, ok, failed, warned, skipped } = await check(await mount(webhooks, onTestFinished), [
        '--effects',
        effects,
        '--settle',
        '100ms',
      ]);
      expect({ code, ok, failed, warned, skipped }).toEqual({
        code: 0,
        ok: true,
        failed: [],
        warned: [],
        skipped: ['restart_keeps', 'restart_remembers', 'secret_in_log'],
      });
    },
  );
});

describe('check passes a receiver of this package with a durable queue', () => {
  it('passes a process that is killed between two deliveries', { timeout: 120_000 }, async ({ onTestFinished }) => {
    await ensureBuild();
    const { url, folder, restart } = await childReceiver(
      (port, at) => [process.execPath, here('durable.mjs'), port, at],
      { DURABLE_SECRET: SECRET },
      onTestFinished,
    );
    appendFileSync(join(folder, 'log'), '');
    const observed = ['--effects', join(folder, 'effects'), '--log', join(folder, 'log'), '--restart', restart];
    const { code, failed, warned, skipped } = await check(url, observed);
    expect({ code, failed, warned, skipped }).toEqual({ code: 0, failed: [], warned: [], skipped: [] });
  });
});

describe("check passes the Python receiver of Pathfinder's documentation", () => {
  it('passes it under http.server with three warnings about its responses', {
    timeout: 60_000,
  }, async () => {
    if (spawnSync('python3', ['--version']).status !== 0) {
      console.warn('SKIPPED: there is no python3');
      expect(process.env.CI, 'CI needs python3').not.toBe('true');
      return;
    }
    const { url } = await childReceiver(
      (port) => ['python3', here('sample.py'), port],
      { SAMPLE_SECRET: SECRET },
      onTestFinished,
    );
    const { code, failed, warned } = await check(url);
    expect({ code, failed, warned }).toEqual({
      code: 0,
      failed: [],
      warned: ['missing_signature', 'bad_json', 'deep_json'],
    });
  });
});

describe('check finds flaws', () => {
  const flaws: readonly (readonly [flaw: string, failed: readonly string[], detail: RegExp | undefined])[] = [
    ['none', [], undefined],
    ['acknowledges-before-it-stores', ['restart_keeps'], /5 of 5 acknowledged events are lost/],
    ['checks-then-inserts', ['duplicates_at_once'], /it acted [2-8] times/],
    ['dies-after-the-effect', ['restart_remembers'], /it acted 2 times/],
    ['keeps-no-record', ['duplicate'], /it acted 2 times, and knew nothing of the first/],
    ['assumes-order', ['reversed_order'], /an update before its creation was answered 500/],
    ['logs-the-secret', ['secret_in_log'], /the log holds the secret/],
    ['acts-before-it-dedupes', ['duplicate'], /although it answered the second as a duplicate/],
    ['parses-before-it-verifies', ['parses_after_verifying'], /a forged event was answered 401, forged bad JSON 400/],
    ['throws-on-a-short-header', ['malformed_signature'], /was answered 500/],
  ];

  it.concurrent.for(flaws)(
    'finds the flaw of a receiver that has %s: %j',
    { timeout: 120_000 },
    async ([flaw, expected, detail], { onTestFinished }) => {
      const { url, folder, restart } = await childReceiver(
        (port, at) => [process.execPath, here('flawed.mjs'), flaw, port, at],
        { FLAWED_SECRET: SECRET },
        onTestFinished,
      );
      appendFileSync(join(folder, 'log'), '');
      const observed = [
        '--effects',
        join(folder, 'effects'),
        '--log',
        join(folder, 'log'),
        '--restart',
        restart,
        '--settle',
        '250ms',
      ];
      const { code, failed, warned, skipped, results } = await check(url, observed);
      expect({ failed, warned }).toEqual({ failed: expected, warned: [] });
      expect(code).toBe(expected.length > 0 ? 1 : 0);
      if (detail) expect(results.find(({ id }) => id === expected[0])?.detail).toMatch(detail);
      // A case that rests on the flaw is skipped, and not failed a second time.
      const rests = CASES.filter((one) => one.rests?.some((id) => expected.includes(id))).map(({ id }) => id);
      expect(skipped).toEqual(rests);
    },
  );

  it('reports a receiver that rejects everything as one failure', async () => {
    const { url } = await recordingServer(() => ({ status: 401 }));
    const { code, failed, skipped } = await check(url);
    expect({ code, failed, skipped: skipped.length }).toEqual({
      code: 1,
      failed: ['valid'],
      skipped: CASES.length - 1,
    });
  });

  it('finds accepted forgeries and an expected signature in a response', async () => {
    const { createHmac } = await import('node:crypto');
    const { url } = await recordingServer(({ body }) => ({
      status: 200,
      body: createHmac('sha256', SECRET).update(body).digest('hex'),
    }));
    const { failed } = await check(url);
    const forgeries = ['missing_signature', 'malformed_signature', 'wrong_key', 'altered', 'parses_after_verifying'];
    expect(failed).toEqual([...forgeries, 'other_methods', 'oversized', 'secret_in_replies']);
  });
});

describe('check', () => {
  it('prints a table and writes JUnit', async () => {
    const { url } = await recordingServer(({ method }, index) => ({
      status: method === 'POST' && index < 3 ? 200 : 401,
    }));
    const cwd = emptyFolder();
    const { code, stdout } = await commandLine(
      `check ${url} --only valid,duplicate,missing_signature --junit out.xml`,
      { cwd },
    );
    expect(code).toBe(1);
    expect(stdout.split('\n')[0]).toBe('✓ valid                   a signed event is accepted: answered 200');
    expect(stdout).toMatch(
      /✗ duplicate .*the duplicate 401\n +why {2}Every sender repeats.*\n +cure Answer a duplicate 2xx/,
    );
    expect(stdout).toContain('2 passed, 1 failed, 0 warned, 0 skipped\n');
    const xml = readFileSync(join(cwd, 'out.xml'), 'utf8');
    expect(xml).toContain('<testsuites tests="3" failures="1" errors="0" skipped="0"');
    expect(xml).toContain('<testcase classname="check" name="valid: a signed event is accepted"');
    expect(xml).toContain('<failure message="the first was answered 200, the duplicate 401">');
  });

  it('shows its progress on a terminal', async () => {
    const { url } = await recordingServer();
    const { stderr } = await commandLine(`check ${url} --only valid`, { tty: true });
    expect(stderr).toContain('1 of 1: a signed event is accepted');
  });

  it('reads only log lines written during the run, and warns when there are none', async () => {
    const { url } = await recordingServer(() => ({ status: 200 }));
    const cwd = emptyFolder();
    const line = `check ${url} --only secret_in_log --log app.log --json`;
    expect((await commandLine(line, { cwd })).code).toBe(3);
    appendFileSync(join(cwd, 'app.log'), `started with ${SECRET}\n`);
    const { code, stdout } = await commandLine(line, { cwd });
    const { results } = JSON.parse(stdout) as CheckDocument;
    expect([code, results.at(-1)]).toMatchObject([
      0,
      { id: 'secret_in_log', state: 'warning', detail: 'nothing was logged meanwhile' },
    ]);
    const telling = await recordingServer(() => {
      appendFileSync(join(cwd, 'app.log'), `${SECRET}\n`);
      return { status: 200 };
    });
    expect((await commandLine(`check ${telling.url} --only secret_in_log --log app.log`, { cwd })).code).toBe(1);
  });

  it('does not report its own signature, echoed back, as a leaked one', async () => {
    const { url } = await recordingServer(({ headers }) => ({
      status: 401,
      body: String(headers['x-pathfinder-signature']),
    }));
    const echo = await recordingServer(({ headers, body }) => ({
      status: headers['x-pathfinder-signature'] === sign(body, SECRET) ? 200 : 401,
      body: String(headers['x-pathfinder-signature']),
    }));
    expect((await check(echo.url)).failed).not.toContain('secret_in_replies');
    expect((await check(url)).failed).toEqual(['valid']);
  });

  it('lists its cases without sending anything', async () => {
    const { stdout, code } = await commandLine('check http://127.0.0.1:1/ --list', { env: {} });
    expect([code, stdout.trim().split('\n').length]).toEqual([0, CASES.length]);
  });

  it('reports an unreachable receiver, an unknown case and unusable arguments by exit code', async () => {
    expect((await commandLine(`check ${await nowhere()}`)).code).toBe(4);
    expect((await commandLine('check http://127.0.0.1:1/ --only duplicat')).code).toBe(2);
    expect((await commandLine('check ftp://127.0.0.1:1/')).code).toBe(2);
    expect((await commandLine('check http://127.0.0.1:1/', { env: {} })).code).toBe(3);
    expect((await commandLine('check')).code).toBe(2);
  });

  it('keeps its results when the restart fails or the JUnit file cannot be written', async () => {
    const effects = join(emptyFolder(), 'effects');
    const { url } = await recordingServer(({ body }) => {
      appendFileSync(effects, `${(JSON.parse(String(body)) as { id: string }).id}\n`);
      return { status: 200 };
    });
    const observed = ['--only', 'restart_keeps', '--restart', 'exit 3', '--effects', effects, '--settle', '1ms'];
    const { code, results } = await check(url, observed);
    expect([code, results]).toMatchObject([
      1,
      [
        { id: 'valid', state: 'passed' },
        { id: 'restart_keeps', state: 'failed', detail: 'The --restart command ended with code 3' },
      ],
    ]);
    const unwritten = await commandLine(['check', url.href, '--only', 'valid', '--junit', '/nowhere/x.xml']);
    expect([unwritten.code, unwritten.stdout]).toEqual([3, expect.stringContaining('1 passed, 0 failed')]);
  });

  it('waits for a queue that works off a burst later', async () => {
    const effects = join(emptyFolder(), 'effects');
    const waiting: string[] = [];
    const { url } = await recordingServer(({ body }) => {
      waiting.push((JSON.parse(String(body)) as { id: string }).id);
      return { status: 202 };
    });
    const worker = setInterval(() => {
      const id = waiting.shift();
      if (id) appendFileSync(effects, `${id}\n`);
    }, 8);
    onTestFinished(() => clearInterval(worker));
    const { failed } = await check(url, ['--only', 'burst', '--effects', effects, '--settle', '300ms']);
    expect(failed).toEqual([]);
  });
});
