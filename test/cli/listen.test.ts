import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { loadFixture, signedRequest } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { checkLocal, lookupLoopback, readTarget } from '../../src/cli/support/target.ts';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';
import { sign } from '../support/deliver.ts';
import { listening } from '../support/listening.ts';
import { nowhere, recordingServer, serverWith } from '../support/test-server.ts';

const delivery = (id: string, type: 'user.created' | 'auth.login' = 'user.created') =>
  signedRequest(type, { secret: SECRET, id });

function linesOf(out: string) {
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('listen', () => {
  it('verifies, shows and answers each delivery', async () => {
    const { url, out, stop } = await listening();
    const good = await fetch(delivery('evt_test_1').toRequest(url));
    const forged = await fetch(delivery('evt_test_2').tampered().toRequest(url));
    const unsigned = await fetch(delivery('evt_test_3').unsigned().toRequest(url));
    expect([good.status, await good.json()]).toEqual([
      200,
      { success: true, status: 'processed', processed: 0, failed: 0 },
    ]);
    for (const refused of [forged, unsigned]) {
      expect([refused.status, await refused.json()]).toEqual([401, { success: false, error: 'invalid_signature' }]);
    }
    expect(out()).toMatch(/^\d\d:\d\d:\d\d {2}→ user\.created {10}evt_test_1 {2}✓ verified {2}← 200 {2}\d+ ms\n/);
    expect(out()).toContain('✗ signature_mismatch  ← 401');
    expect(out()).toContain('✗ missing_signature  ← 401');
    // The ids of what was refused are not shown: a body is not read before it is verified.
    expect(out()).not.toMatch(/evt_test_[23]/);
    const { code, stderr } = await stop();
    expect(code).toBe(130);
    expect(stderr).toContain('There is no X-Pathfinder-Signature header');
  });

  it('writes one JSON object a line with --json and stops after --count deliveries', async () => {
    const server = await nowhere();
    const run = commandLine(`listen --json --port ${server.port} --count 2`);
    const url = new URL(server.href);
    const post = async (request: Request) => {
      for (;;) {
        const reply = await fetch(request.clone()).catch(() => undefined);
        if (reply) return reply;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await post(delivery('evt_test_1').toRequest(url));
    await post(delivery('evt_test_2').tampered().toRequest(url));
    const { code, stdout, stderr } = await run;
    expect([code, JSON.parse(stderr)]).toEqual([
      0,
      { listening: `http://127.0.0.1:${server.port}/webhooks/pathfinder` },
    ]);
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;
    const number = expect.any(Number) as number;
    expect(linesOf(stdout)).toEqual([
      { at, type: 'user.created', id: 'evt_test_1', verdict: 'verified', status: 200, ms: number, bytes: number },
      {
        at,
        verdict: 'signature_mismatch',
        status: 401,
        ms: number,
        bytes: number,
        why: expect.any(String),
        fix: expect.any(String),
      },
    ]);
  });

  it('stops after --count deliveries even when the sender disconnects', async () => {
    const app = await serverWith((_, response) => void setTimeout(() => response.end(), 150));
    const { url, ended } = await listening(`--count 1 --forward-to ${app}`);
    const late = fetch(delivery('evt_test_1').toRequest(url), { signal: AbortSignal.timeout(50) });
    await expect(late).rejects.toThrow();
    expect((await ended).code).toBe(0);
  });

  it("forwards verified deliveries and returns the app's response", async () => {
    const app = await recordingServer((_, index) =>
      index === 0
        ? { status: 202, headers: { 'content-type': 'text/plain', 'set-cookie': 'a=b' }, body: 'later' }
        : { status: 503, headers: { 'retry-after': '7' } },
    );
    const { url } = await listening(`--forward-to ${app.url}`);
    const first = await fetch(delivery('evt_test_1').toRequest(url));
    expect([
      first.status,
      first.headers.get('content-type'),
      first.headers.get('set-cookie'),
      await first.text(),
    ]).toEqual([202, 'text/plain', null, 'later']);
    const second = await fetch(delivery('evt_test_2').toRequest(url));
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '7']);
    await fetch(delivery('evt_test_3').tampered().toRequest(url));
    expect(app.received.length).toBe(2);
  });

  it('responds 502 with the reason when the app is unreachable, hangs or redirects', async () => {
    for (const [to, why] of [
      [await nowhere(), 'ECONNREFUSED'],
      [await serverWith(() => undefined), 'No whole reply'],
      [
        (await recordingServer(() => ({ status: 302, headers: { location: 'http://169.254.169.254/' } }))).url,
        'a redirect, which is not followed',
      ],
    ] as const) {
      const { url, stop } = await listening(`--timeout 100ms --forward-to ${to}`);
      const reply = await fetch(delivery('evt_test_1').toRequest(url), { redirect: 'manual' });
      expect([reply.status, await reply.json()]).toEqual([502, { success: false, error: 'forward_failed' }]);
      expect((await stop()).stderr).toContain(why);
    }
  });

  it('keeps the order of deliveries unless several may be in flight', async () => {
    const order: string[] = [];
    let most = 0;
    let open = 0;
    const app = await serverWith((request, response) => {
      most = Math.max(most, ++open);
      request.on('data', (chunk: Buffer) => order.push((JSON.parse(String(chunk)) as { id: string }).id));
      // The first takes longest, so that others would overtake it.
      request.on('end', () => setTimeout(() => response.end(() => open--), order.length === 1 ? 60 : 30));
    });
    for (const [more, atOnce] of [
      ['', 1],
      ['--concurrency 3', 3],
    ] as const) {
      const { url } = await listening(`--forward-to ${app} ${more}`);
      order.length = 0;
      most = 0;
      const sent: Promise<Response>[] = [];
      for (const id of ['evt_test_1', 'evt_test_2', 'evt_test_3']) {
        sent.push(fetch(delivery(id).toRequest(url)));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Promise.all(sent);
      expect([order, most]).toEqual([['evt_test_1', 'evt_test_2', 'evt_test_3'], atOnce]);
    }
  });

  it('shows and forwards only the selected types', async () => {
    const app = await recordingServer();
    const { url, out } = await listening(`--events auth.*,user.deleted --forward-to ${app.url}`);
    expect((await fetch(delivery('evt_test_1').toRequest(url))).status).toBe(200);
    expect((await fetch(delivery('evt_test_2', 'auth.login').toRequest(url))).status).toBe(200);
    expect(app.received.map(({ body }) => (JSON.parse(String(body)) as { id: string }).id)).toEqual(['evt_test_2']);
    expect(out()).not.toContain('evt_test_1');
  });

  it('shows unverified deliveries only with --no-verify, and says that they are unverified', async () => {
    const { url, out } = await listening('--no-verify', { env: {} });
    expect((await fetch(delivery('evt_test_1').unsigned().toRequest(url))).status).toBe(200);
    expect((await fetch(url, { method: 'POST', body: 'no json' })).status).toBe(200);
    expect(out()).toContain('evt_test_1  ✗ unverified');
    expect((await commandLine('listen', { env: {} })).code).toBe(3);
  });

  it('responds 405 to other methods and 413 to a body that is too large', async () => {
    const { url } = await listening();
    const get = await fetch(url);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    const long = await fetch(url, { method: 'POST', body: 'x'.repeat(1_048_577) }).catch(() => undefined);
    expect(long?.status ?? 413).toBe(413);
  });

  it('reports a port in use and an invalid address', async () => {
    const { port } = await listening();
    expect(await commandLine(`listen --port ${port}`)).toEqual({
      code: 3,
      stdout: '',
      stderr: `✗ Port ${port} is not free.\n  Pass another one: --port 0 takes any.\n`,
    });
    expect((await commandLine('listen --port 0 --host 192.0.2.1')).code).toBe(2);
  });

  it('saves deliveries so that they can be sent again byte for byte', async () => {
    const folder = emptyFolder();
    const app = await recordingServer((_, index) => ({ status: index === 0 ? 500 : 200 }));
    const { url, stop } = await listening(`--save saved --forward-to ${app.url}`, { cwd: folder });
    const sent = [delivery('evt_test_1'), delivery('evt_test_2', 'auth.login')];
    for (const one of sent)
      await fetch(one.toRequest(url), { headers: { ...one.headers, cookie: 'session=1', 'x-request-id': 'r1' } });
    await stop();
    const files = readdirSync(join(folder, 'saved'));
    expect(files.map((name) => name.replace(/^\d{8}T\d{9}Z-\d{6}-/, ''))).toEqual([
      'user.created-evt_test_1.json',
      'auth.login-evt_test_2.json',
    ]);
    const saved = await Promise.all(files.map((name) => loadFixture(join(folder, 'saved', name))));
    expect(
      saved.map(({ body, headers, replyStatus }) => [
        Buffer.from(body),
        headers['x-pathfinder-signature'],
        headers.cookie,
        headers['x-request-id'],
        replyStatus,
      ]),
    ).toEqual(
      sent.map(({ body, headers }, i) => [
        Buffer.from(body),
        headers['x-pathfinder-signature'],
        undefined,
        'r1',
        i === 0 ? 500 : 200,
      ]),
    );
    const again = await recordingServer();
    const replayed = async (more: string) => {
      again.received.length = 0;
      const outcome = await commandLine(`replay saved --to ${again.url} ${more}`, { cwd: folder });
      return [outcome.code, again.received.map(({ body }) => (JSON.parse(String(body)) as { id: string }).id)];
    };
    expect(await replayed('')).toEqual([0, ['evt_test_1', 'evt_test_2']]);
    expect(again.received[0]?.body).toEqual(Buffer.from(sent[0]?.body ?? []));
    expect(await replayed('--failed')).toEqual([0, ['evt_test_1']]);
    expect(await replayed('--last 1')).toEqual([0, ['evt_test_2']]);
    expect(await replayed('--events auth.login --since 1h')).toEqual([0, ['evt_test_2']]);
    expect(await replayed('--dry-run')).toEqual([0, []]);
    expect(await replayed('--events user.deleted')).toEqual([1, []]);
    await replayed('--last 1 --new-id');
    const [fresh] = again.received;
    expect(fresh?.headers['x-pathfinder-signature']).toBe(sign(fresh?.body ?? '', SECRET));
    expect(String(fresh?.body)).toMatch(/"evt_test_[0-9a-f]{32}"/);
  });
});

describe('listen rejects requests from a web page of another origin', () => {
  const cases = (port: number) => ({
    [`Host: localhost:${port}`]: 405,
    [`Host: 127.0.0.1:${port}`]: 405,
    [`Host: [::1]:${port}`]: 405,
    [`Host: LOCALHOST:${port}`]: 405,
    'Host: tunnel.example': 405,
    'Host: tunnel.example:443': 405,
    'Host: evil.example': 403,
    [`Host: evil.example:${port}`]: 403,
    [`Host: 127.0.0.1.evil.com:${port}`]: 403,
    'Host: localhost:9': 403,
    'Host: localhost': 403,
    [`Host: localhost:${port}\r\nHost: localhost:${port}`]: 403,
    'X-Host: none': 400,
    'Host: ': 403,
  });

  it('rejects a foreign Host header on every path', async () => {
    const { port } = await listening('--allow-host tunnel.example');
    const answers: Record<string, number> = {};
    for (const head of Object.keys(cases(port)))
      answers[head] = await statusOf(port, `GET /any HTTP/1.1\r\n${head}\r\nConnection: close\r\n\r\n`);
    expect(answers).toEqual(cases(port));
  });
});

describe('listen binds to loopback only', () => {
  it('warns when --host exposes it to the network', async () => {
    const local = await listening();
    const wide = await listening('--host 0.0.0.0');
    const { stderr } = await wide.stop();
    expect(stderr).toContain(`! Everybody who reaches 0.0.0.0:${wide.port} can send to this command.`);
    expect((await local.stop()).stderr).not.toContain('Everybody');
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal);
    const again = await listening();
    if (outside)
      await expect(statusOf(again.port, 'GET / HTTP/1.0\r\n\r\n', outside.address)).rejects.toThrow('ECONNREFUSED');
    await expect(statusOf(again.port, 'GET / HTTP/1.0\r\n\r\n', '127.0.0.2')).rejects.toThrow('ECONNREFUSED');
  });
});

describe('listen forwards only to its target', () => {
  it.each([
    'http://169.254.169.254/',
    'http://[::ffff:169.254.169.254]/',
    'http://0/',
    'http://0.0.0.0:3000/',
    'http://2852039166/',
    'http://10.0.0.1/',
    'http://[fe80::1]/',
    'http://[::]/',
    'http://[::ffff:a9fe:a9fe]:80/',
  ])('does not treat %s as this machine', async (target) => {
    expect(await commandLine(`listen --port 0 --forward-to ${target}`)).toEqual({
      code: 2,
      stdout: '',
      stderr: '✗ --forward-to is not this machine.\n  Pass --allow-remote if events shall leave this machine.\n',
    });
  });

  it.each([
    'http://127.1:3000/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://[::1]:3000/',
    'http://[::ffff:127.0.0.1]/',
    'localhost:3000',
  ])('treats %s as this machine', (target) => {
    expect(() => checkLocal(readTarget(target, '--forward-to'), '--forward-to')).not.toThrow();
  });

  it.each(['ftp://localhost/', 'file:///etc/passwd', 'http://me:secret@localhost/', 'javascript:alert(1)', 'http://'])(
    'rejects %s as a forward target',
    async (target) => {
      expect((await commandLine(['listen', '--port', '0', '--forward-to', target])).code).toBe(2);
    },
  );

  it("resolves the target's name for each connection and rejects addresses of other machines", async () => {
    const look = (name: string, all: boolean) =>
      new Promise((resolve) => {
        lookupLoopback(name, { all }, (error, address) => resolve(error ? error.message : address));
      });
    expect(await look('localhost', false)).toMatch(/^(127\.0\.0\.1|::1)$/);
    expect(await look('localhost', true)).toEqual(
      expect.arrayContaining([expect.objectContaining({ family: expect.any(Number) })]),
    );
    expect(await look('10.9.8.7', false)).toBe('10.9.8.7 is not this machine.');
    expect(await look('10.9.8.7', true)).toBe('10.9.8.7 is not this machine.');
  });

  it('ignores a forward target named by a request', async () => {
    const other = await recordingServer();
    const app = await recordingServer();
    const { port } = await listening(`--forward-to ${app.url}`);
    const { body, headers } = delivery('evt_test_1');
    const lines = [
      ...Object.entries(headers),
      ['x-forwarded-host', other.url.host],
      ['x-pathfinder-forward-to', other.url.href],
    ];
    const head = `POST ${other.url.href} HTTP/1.1\r\nHost: localhost:${port}\r\n${lines.map((line) => line.join(': ')).join('\r\n')}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    expect(await statusOf(port, head + String(body))).toBe(200);
    expect([app.received.length, other.received.length]).toEqual([1, 0]);
  });
});

describe('listen forwards bytes unchanged', () => {
  it('forwards a thousand random bodies and their signatures unchanged', async () => {
    const app = await recordingServer();
    const { url } = await listening(`--no-verify --forward-to ${app.url} --concurrency 8`);
    const sent = Array.from({ length: 1000 }, (_, i) => randomBytes(i % 700));
    const hash = (body: Buffer, signature: unknown) =>
      createHash('sha256').update(body).update(String(signature)).digest('hex');
    for (let at = 0; at < sent.length; at += 20) {
      await Promise.all(
        sent.slice(at, at + 20).map((body) =>
          fetch(url, {
            method: 'POST',
            body: new Uint8Array(body),
            headers: { 'x-pathfinder-signature': sign(body, SECRET) },
          }),
        ),
      );
    }
    const arrived = app.received.map(({ body, headers }) => hash(body, headers['x-pathfinder-signature']));
    expect(arrived.sort()).toEqual(sent.map((body) => hash(body, sign(body, SECRET))).sort());
  });
});

describe('listen forwards only headers of the delivery', () => {
  it('drops cookies, authorization and hop-by-hop headers', async () => {
    const app = await recordingServer();
    const { port } = await listening(`--forward-to ${app.url}`);
    const { body, headers } = delivery('evt_test_1');
    const more = {
      cookie: 'a=b',
      authorization: 'Bearer t',
      'proxy-authorization': 'Basic x',
      'x-forwarded-for': '1.2.3.4',
      te: 'trailers',
      'keep-alive': 'timeout=5',
      upgrade: 'h2c',
      'x-request-id': 'r1',
      traceparent: '00-1-2-01',
      'user-agent': 'Pathfinder/1',
    };
    const lines = Object.entries({ ...headers, ...more }).map((line) => line.join(': '));
    await statusOf(
      port,
      `POST / HTTP/1.1\r\nHost: localhost:${port}\r\n${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    expect(Object.keys(app.received[0]?.headers ?? {}).sort()).toEqual([
      'connection',
      'content-length',
      'content-type',
      'host',
      'traceparent',
      'user-agent',
      'x-pathfinder-signature',
      'x-request-id',
    ]);
    expect(app.received[0]?.headers.host).toBe(app.url.host);
  });
});

describe('listen keeps only what --save asks for', () => {
  it('saves nothing without --save', async () => {
    const folder = emptyFolder();
    const { url, stop } = await listening('', { cwd: folder });
    await fetch(delivery('evt_test_1').toRequest(url));
    await stop();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('saves files for their owner only, at most --keep of them, and leaves other files alone', async () => {
    const folder = emptyFolder();
    const saved = join(folder, 'saved');
    const { url, stop } = await listening('--save saved --keep 3', { cwd: folder });
    mkdirSync(saved, { mode: 0o700 });
    writeFileSync(join(saved, '0-mine.json'), '{}');
    for (let i = 0; i < 6; i++) await fetch(delivery(`evt_test_${i}`).toRequest(url));
    await stop();
    const files = readdirSync(saved);
    expect(files.filter((name) => name !== '0-mine.json').map((name) => name.slice(-6))).toEqual([
      '3.json',
      '4.json',
      '5.json',
    ]);
    expect(files).toContain('0-mine.json');
    for (const name of files.filter((name) => name !== '0-mine.json'))
      expect(statSync(join(saved, name)).mode & 0o777).toBe(0o600);
    const fresh = emptyFolder();
    const { url: other, stop: end } = await listening('--save made', { cwd: fresh });
    await fetch(delivery('evt_test_9').toRequest(other));
    await end();
    expect(statSync(join(fresh, 'made')).mode & 0o777).toBe(0o700);
  });

  it('takes no file name from an event', async () => {
    const folder = emptyFolder();
    const { url, stop } = await listening('--save saved', { cwd: folder });
    await fetch(signedRequest('user.created', { secret: SECRET, id: '../../../evil/x' }).toRequest(url));
    await stop();
    expect(readdirSync(folder)).toEqual(['saved']);
    expect(readdirSync(join(folder, 'saved'))[0]).toMatch(/-user\.created-\.\._\.\._\.\._evil_x\.json$/);
  });

  it('continues when it cannot save, and reports it', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'saved'), 'a file');
    const { url, stop } = await listening('--save saved', { cwd: folder });
    expect((await fetch(delivery('evt_test_1').toRequest(url))).status).toBe(200);
    expect((await stop()).stderr).toContain('! A delivery could not be saved in saved: ');
    expect(readFileSync(join(folder, 'saved'), 'utf8')).toBe('a file');
  });
});

describe('listen escapes terminal control sequences', () => {
  it('escapes control sequences in any field of an event', async () => {
    const { url, out, stop } = await listening('--no-verify', { tty: true });
    const body = JSON.stringify({
      id: 'evt_\u009b2J',
      type: 'user.\u202ecreated',
      api_version: '1',
      created: 1,
      data: {},
    });
    await fetch(url, {
      method: 'POST',
      body,
      headers: { 'x-pathfinder-signature': sign(body, SECRET), 'content-type': 'text/\u00ff' },
    });
    const { stderr } = await stop();
    const uncoloured = (out() + stderr).replaceAll(/\p{Cc}\[\d+m/gu, '');
    expect(uncoloured).toContain('user.\\u202ecreated');
    expect(uncoloured).not.toMatch(/[^\P{C}\n]/u);
  });
});

/** The status of the reply to raw bytes. */
function statusOf(port: number, text: string, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write(text));
    let reply = '';
    socket.on('data', (chunk) => {
      reply += String(chunk);
    });
    socket.on('end', () => resolve(Number(reply.split(' ')[1])));
    socket.on('error', reject);
  });
}
