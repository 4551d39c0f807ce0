import { createHmac } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WEBHOOK_EVENT_TYPES, WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { saveFixture, signedRequest } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';
import { nowhere, recordingServer, serverWith } from '../support/test-server.ts';

const SIGNATURE = 'x-pathfinder-signature';

function signatureOf(body: Buffer, secret = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

function parsed(body: Buffer | undefined) {
  return JSON.parse(String(body)) as { id: string; type: string; created: number; data: Record<string, unknown> };
}

describe('send', () => {
  it('sends one signed sample and prints how the receiver handled it', async () => {
    const seen: string[] = [];
    const webhooks = new WebhookHandler({ secret: SECRET });
    webhooks.on('user.created', ({ id, data }) => void seen.push(`${id} ${data.user.email}`));
    const url = await serverWith(toNodeListener(webhooks));
    const { code, stdout, stderr } = await commandLine(
      `send user.created --to ${url} --id evt_test_1 --override user.email=ada@example.com`,
    );
    expect({ code, stderr, seen }).toEqual({ code: 0, stderr: '', seen: ['evt_test_1 ada@example.com'] });
    expect(stdout.replace(/in \d+ ms/, 'in 9 ms').replace(/\d+ bytes/, '9 bytes')).toBe(
      [
        `→ POST ${url}  user.created  evt_test_1  (9 bytes, PATHFINDER_WEBHOOK_SECRET)`,
        '← 200 in 9 ms  {"success":true,"status":"processed","processed":1,"failed":0}',
        '✓ verified, 1 handler ran',
        '',
      ].join('\n'),
    );
  });

  it('signs the exact bytes that it sends, and reads the secret from stdin as well', async () => {
    const { url, received } = await recordingServer();
    await commandLine(`send user.created --to ${url}`);
    await commandLine(`send user.created --to ${url} --secret-stdin`, { env: {}, stdin: 'another-secret\n' });
    expect(received.map(({ headers }) => headers[SIGNATURE])).toEqual([
      signatureOf(received[0]?.body ?? Buffer.of()),
      signatureOf(received[1]?.body ?? Buffer.of(), 'another-secret'),
    ]);
    expect(
      received.map(({ method, headers }) => [method, headers['content-type'], headers['transfer-encoding']]),
    ).toEqual([
      ['POST', 'application/json', undefined],
      ['POST', 'application/json', undefined],
    ]);
  });

  it('prints one JSON document with --json', async () => {
    const { url } = await recordingServer(() => ({
      status: 202,
      body: '{"success":true,"status":"queued","processed":0,"failed":0}',
    }));
    const { code, stdout, stderr } = await commandLine(`--json send user.deleted --to ${url} --id evt_test_2`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      ok: true,
      event: { id: 'evt_test_2', type: 'user.deleted' },
      request: { url: url.href, bytes: expect.any(Number) },
      response: {
        status: 202,
        ms: expect.any(Number),
        body: { success: true, status: 'queued', processed: 0, failed: 0 },
      },
    });
  });

  it('merges --data into the sample and sets fields of the envelope and of the data', async () => {
    const { url, received } = await recordingServer();
    const folder = emptyFolder();
    writeFileSync(join(folder, 'data.json'), '{"user":{"id":"user_9"}}');
    const more = [
      '--override',
      'created=1709280000',
      '--override',
      'data.user.username=007',
      '--override',
      'note=a=b',
      '--no-validate',
    ];
    await commandLine(['send', 'user.created', '--to', url.href, '--data', '@data.json', ...more], { cwd: folder });
    await commandLine(['send', 'order.paid', '--to', url.href, '--data', '-'], { stdin: '{"order":7}' });
    const [first, second] = received.map(({ body }) => parsed(body));
    expect(first).toMatchObject({
      created: 1709280000,
      data: { user: { id: 'user_9', username: '007', email: expect.any(String) }, note: 'a=b' },
    });
    expect(second).toMatchObject({ type: 'order.paid', data: { order: 7 } });
  });

  it('does not pollute prototypes through --data or --set', async () => {
    const { url, received } = await recordingServer();
    for (const path of ['__proto__.polluted', 'data.constructor.prototype.polluted']) {
      expect((await commandLine(`send user.created --to ${url} --override ${path}=1`)).code).toBe(2);
    }
    await commandLine(['send', 'user.created', '--to', url.href, '--data', '{"__proto__":{"polluted":1}}']);
    expect([received.length, ({} as { polluted?: unknown }).polluted]).toEqual([1, undefined]);
  });

  it('sends all nineteen types, each with its own id', async () => {
    const { url, received } = await recordingServer();
    const { code, stdout } = await commandLine(`send --all --to ${url}`);
    expect(code).toBe(0);
    expect(received.map(({ body }) => parsed(body).type)).toEqual(WEBHOOK_EVENT_TYPES);
    expect(new Set(received.map(({ body }) => parsed(body).id)).size).toBe(19);
    expect(stdout).toContain('19 of 19 accepted');
  });

  it('sends a burst with the requested concurrency', async () => {
    let open = 0;
    let most = 0;
    const url = await serverWith((request, response) => {
      most = Math.max(most, ++open);
      request.resume().on('end', () => setTimeout(() => response.end(() => open--), 5));
    });
    const { code, stdout } = await commandLine(`send auth.login --to ${url} --repeat 40 --concurrency 8 --json`);
    const { ok, sent, accepted, results } = JSON.parse(stdout) as Record<string, unknown>;
    expect({ code, ok, sent, accepted, most }).toEqual({ code: 0, ok: true, sent: 40, accepted: 40, most: 8 });
    expect(new Set((results as { event: { id: string } }[]).map(({ event }) => event.id)).size).toBe(40);
  });

  it('respects the requested rate', async () => {
    const { url, received } = await recordingServer();
    const startedAtMs = performance.now();
    await commandLine(`send auth.login --to ${url} --repeat 5 --rate 20`);
    expect(received.length).toBe(5);
    // Five at 20 in a second begin within 200 ms, and not before.
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(195);
  });

  it('sends duplicates and forgeries on request', async () => {
    const { url, received } = await recordingServer();
    for (const more of ['--duplicate', '--tamper body', '--tamper signature', '--no-signature']) {
      await commandLine(`send auth.login --to ${url} ${more}`);
    }
    const [one, again, body, signature, unsigned] = received;
    expect(again?.body.equals(one?.body ?? Buffer.of())).toBe(true);
    const right = received.map((each) => each.headers[SIGNATURE] === signatureOf(each.body));
    expect(right).toEqual([true, true, false, false, false]);
    expect(parsed(body?.body).type).toBe('auth.login');
    expect(signature?.headers[SIGNATURE]).toMatch(/^sha256=[0-9a-f]{64}$/);
    expect(unsigned?.headers).not.toHaveProperty(SIGNATURE);
  });

  it('sends a saved delivery byte for byte and signs it again only on request', async () => {
    const { url, received } = await recordingServer();
    const folder = emptyFolder();
    const path = join(folder, 'saved.json');
    const saved = signedRequest('user.created', { secret: 'the-old-secret', headers: { 'x-request-id': 'r 1' } });
    await saveFixture(path, saved);
    await commandLine(`send --file saved.json --to ${url}`, { cwd: folder, env: {} });
    await commandLine(`send --file saved.json --resign --to ${url}`, { cwd: folder });
    await commandLine(`send --file - --to ${url}`, { stdin: readFileSync(path) });
    expect(received.map(({ body }) => body.equals(saved.body))).toEqual([true, true, true]);
    expect(received.map(({ headers }) => [headers[SIGNATURE], headers['x-request-id']])).toEqual([
      [saved.headers[SIGNATURE], 'r 1'],
      [signatureOf(Buffer.from(saved.body)), 'r 1'],
      [saved.headers[SIGNATURE], 'r 1'],
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('signs arbitrary bytes', async () => {
    const { url, received } = await recordingServer();
    const folder = emptyFolder();
    const bytes = Buffer.from([0, 255, 10, 13, 10]);
    writeFileSync(join(folder, 'raw.bin'), bytes);
    await commandLine(`send --raw raw.bin --to ${url} --header x-tenant:acme`, { cwd: folder });
    expect(received.map(({ body, headers }) => [body, headers[SIGNATURE], headers['x-tenant']])).toEqual([
      [bytes, signatureOf(bytes), 'acme'],
    ]);
  });

  it('prints a curl command instead of sending', async () => {
    const { url, received } = await recordingServer();
    const { code, stdout } = await commandLine(`send user.created --to ${url} --curl`);
    expect([code, received]).toEqual([0, []]);
    expect(stdout).toMatch(/^curl -X POST 'http:/);
    expect(stdout).not.toContain(SECRET);
    const forged = await commandLine(`send user.created --to ${url} --curl --no-signature --header x-tenant:acme`);
    expect(forged.stdout).toContain("-H 'x-tenant: acme'");
    expect(forged.stdout).not.toContain('x-pathfinder-signature');
    const folder = emptyFolder();
    await saveFixture(join(folder, 'saved.json'), signedRequest('user.created', { secret: SECRET }));
    const saved = await commandLine(`send --file saved.json --to ${url} --curl`, { cwd: folder });
    expect(saved.stdout).toContain(`curl -X POST '${url}'`);
  });

  it('shows its progress on a terminal only', async () => {
    const { url } = await recordingServer();
    const line = `send auth.login --to ${url} --repeat 3`;
    expect((await commandLine(line, { tty: true })).stderr).toContain('2 of 3 sent');
    expect((await commandLine(line)).stderr).toBe('');
    expect(
      (await commandLine(line, { tty: true, env: { PATHFINDER_WEBHOOK_SECRET: SECRET, CI: 'true' } })).stderr,
    ).toBe('');
  });
});

describe('send explains what blocked a delivery', () => {
  const answers: readonly (readonly [string, Parameters<typeof recordingServer>[0], string, string])[] = [
    [
      'a wrong secret',
      () => ({ status: 401, body: '{"success":false,"error":"invalid_signature"}' }),
      'invalid_signature',
      'doctor',
    ],
    ['auth in front', () => ({ status: 401, body: 'Unauthorized' }), 'unauthorized', 'Exempt the route'],
    [
      'a redirect',
      () => ({ status: 307, headers: { location: '/sign-in' } }),
      'redirected',
      'Exempt /webhooks/pathfinder',
    ],
    [
      'a parsed body',
      () => ({ status: 500, body: '{"success":false,"error":"body_already_parsed"}' }),
      'body_already_parsed',
      'express.json()',
    ],
    [
      'a failing handler',
      () => ({ status: 500, body: '{"success":false,"status":"failed","processed":1,"failed":1}' }),
      'handler_failed',
      'log',
    ],
    ['no route', () => ({ status: 404 }), 'not_found', '--to'],
    ['a proxy', () => ({ status: 502, body: '<html>' }), 'bad_gateway', 'Start the app'],
  ];

  it.each(answers)('explains %s', async (_, reply, error, fix) => {
    const { url, received } = await recordingServer(reply);
    const { code, stdout, stderr } = await commandLine(`send auth.login --to ${url} --json`);
    expect([code, received.length]).toEqual([1, 1]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error });
    const told = JSON.parse(stderr) as { error: { code: string; message: string; fix: string } };
    expect(told.error.code).toBe(error);
    expect(told.error.fix).toContain(fix);
  });

  it('reports an address where nothing listens', async () => {
    const url = await nowhere();
    const { code, stderr } = await commandLine(`send auth.login --to ${url}`);
    expect(code).toBe(4);
    expect(stderr).toBe(
      `✗ ECONNREFUSED 127.0.0.1:${url.port}: nothing is listening there.\n  Start your app, or check the address.\n`,
    );
  });

  it('reports a receiver that never responds and one that disconnects', async () => {
    const silent = await serverWith(() => undefined);
    const rude = await serverWith((request) => request.socket.destroy());
    const late = await commandLine(`send auth.login --to ${silent} --timeout 100ms`);
    expect([late.code, late.stderr]).toEqual([
      4,
      `✗ No whole reply from ${silent.origin} within 100 ms.\n  Does the handler end? Wait longer with --timeout <seconds>.\n`,
    ]);
    expect((await commandLine(`send auth.login --to ${rude}`)).code).toBe(4);
  });

  it('escapes and shortens a response that would take over the terminal', async () => {
    const { url } = await recordingServer(() => ({ status: 500, body: `\x1b]0;owned\x07\u202e${'x'.repeat(2000)}` }));
    const { stdout, stderr } = await commandLine(`send auth.login --to ${url}`, {
      tty: true,
      env: { PATHFINDER_WEBHOOK_SECRET: SECRET, NO_COLOR: '1' },
    });
    expect(stdout + stderr).not.toMatch(/[^\P{C}\n]/u);
    expect(stdout).toContain('\\x1b]0;owned\\x07\\u202e');
    expect(stdout.length).toBeLessThan(600);
  });

  it.each(['constructor', '__proto__', 'toString'])('decodes a response that is labeled %s', async (word) => {
    const refusing = await recordingServer(() => ({
      status: 418,
      body: JSON.stringify({ success: false, error: word }),
    }));
    expect(JSON.parse((await commandLine(`send auth.login --to ${refusing.url} --json`)).stdout)).toMatchObject({
      error: 'refused',
    });
    const accepting = await recordingServer(() => ({
      status: 200,
      body: JSON.stringify({ success: true, status: word }),
    }));
    expect((await commandLine(`send auth.login --to ${accepting.url}`)).stdout).toContain('✓ accepted');
  });

  it('stops on Ctrl-C', async () => {
    const interrupt = new AbortController();
    const url = await serverWith(() => interrupt.abort());
    expect((await commandLine(`send auth.login --to ${url}`, { signal: interrupt.signal })).code).toBe(130);
  });
});

describe('send rejects invalid input before it sends anything', () => {
  const cases: readonly (readonly [string, readonly string[], number, string, string])[] = [
    ['an unknown type', ['user.creatd'], 2, 'There is no event type user.creatd.', 'Did you mean user.created?'],
    [
      'an unknown option',
      ['user.created', '--overide', 'a=b'],
      2,
      "unknown option '--overide'",
      'Did you mean --override?',
    ],
    [
      'bad JSON',
      ['user.created', '--data', '{'],
      2,
      '--data is no JSON object.',
      `Pass one, such as '{"user":{"id":"user_1"}}', or @file, or - for stdin.`,
    ],
    [
      'data that is no object',
      ['user.created', '--data', '[]'],
      2,
      '--data is no JSON object.',
      `Pass one, such as '{"user":{"id":"user_1"}}', or @file, or - for stdin.`,
    ],
    [
      'data that does not fit',
      ['user.created', '--override', 'user.id=7'],
      2,
      'The event does not fit user.created: data.user.id: Invalid input: expected string, received number.',
      'Correct it, or send it all the same with --no-validate.',
    ],
    [
      'a missing file',
      ['--file', 'none.json'],
      3,
      'none.json cannot be read: there is no such file or folder.',
      'Check the path.',
    ],
    [
      'a file that is no delivery',
      ['--file', '-'],
      2,
      'Stdin is no saved delivery: its `format` is not "pathfinder-webhook-delivery/1".',
      'Save one with saveFixture or `listen --save`.',
    ],
    [
      'a target of another kind',
      ['user.created', '--to', 'ftp://127.0.0.1'],
      2,
      '--to is no http or https URL.',
      'Pass a whole one, such as http://localhost:3000/webhooks/pathfinder.',
    ],
    [
      'a target with a password',
      ['user.created', '--to', 'http://me:pass@127.0.0.1'],
      2,
      '--to holds a user name or a password.',
      'Pass the URL without them.',
    ],
    [
      'a count that is none',
      ['user.created', '--repeat', '0'],
      2,
      "option '--repeat <count>' argument '0' is invalid. It must be a whole number from 1 to 100000.",
      'See --help for what it takes.',
    ],
    [
      'two things at once',
      ['user.created', '--all'],
      2,
      'an event and --all exclude each other.',
      'Name one event, such as user.created, or pass --all, --file or --raw.',
    ],
    [
      'options with nothing to change',
      ['--all', '--id', 'evt_1'],
      2,
      '--id need one event.',
      'Name it, such as `send user.created`.',
    ],
    [
      'a header that would be two',
      ['user.created', '--header', 'a:b\r\nc:d'],
      2,
      '--header is no header.',
      'Pass a name and a value, such as --header x-tenant:acme.',
    ],
  ];

  it.each(cases)('rejects %s', async (_, args, exitCode, message, fix) => {
    const { url, received } = await recordingServer();
    const to = args.includes('--to') ? [] : ['--to', url.href];
    const { code, stdout, stderr } = await commandLine(['send', ...args, ...to]);
    expect({ code, stdout, stderr, received }).toEqual({
      code: exitCode,
      stdout: '',
      stderr: `✗ ${message}\n  ${fix}\n`,
      received: [],
    });
    const asJson = await commandLine(['--json', 'send', ...args, ...to]);
    expect([asJson.code, asJson.stdout]).toEqual([exitCode, '']);
    expect(JSON.parse(asJson.stderr)).toEqual({ error: { code: expect.any(String), message, fix } });
  });

  it('rejects stdin used for both the secret and the data', async () => {
    const { url, received } = await recordingServer();
    const { code } = await commandLine(`send auth.login --secret-stdin --data - --to ${url}`, {
      env: {},
      stdin: 'secret',
    });
    expect([code, received]).toEqual([2, []]);
  });

  it('rejects a missing, empty or unusable secret', async () => {
    const { url, received } = await recordingServer();
    for (const secret of ['', ' padded ', '\n']) {
      const { code } = await commandLine(`send auth.login --to ${url}`, { env: { PATHFINDER_WEBHOOK_SECRET: secret } });
      expect(code).toBe(3);
    }
    const { code, stderr } = await commandLine(`send auth.login --to ${url}`, { env: {} });
    expect([code, stderr.split('\n')[0]]).toEqual([
      3,
      '✗ There is no signing secret: PATHFINDER_WEBHOOK_SECRET is not set.',
    ]);
    expect(received).toEqual([]);
  });
});
