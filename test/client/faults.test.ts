import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { retry } from '@pathfinder/webhooks';
import {
  isPathfinderApiError,
  PATHFINDER_API_ERROR_CODES,
  PathfinderApiError,
  PathfinderWebhooksClient,
  type PathfinderWebhooksClientOptions,
} from '@pathfinder/webhooks/client';
import { afterEach, describe, expect, it } from 'vitest';
import { deadUrl, type Listening, listen, type Reply, serverThat, signalled } from '../testing/receiver.ts';

const TOKEN = `tok_${randomBytes(20).toString('hex')}`;
const WEBHOOK = { id: 'webhook_1', url: 'https://app.example.com/hook', events: ['user.created'] };
const LIST = { status: 200, body: JSON.stringify({ success: true, data: { webhooks: [WEBHOOK] } }) };
const ONE = { status: 200, body: JSON.stringify({ success: true, data: { webhook: WEBHOOK } }) };
const open: Listening[] = [];

afterEach(async () => {
  for (const listening of open.splice(0)) await listening.close();
});

async function opened<T extends Listening>(listening: Promise<T>): Promise<T> {
  open.push(await listening);
  return listening;
}

const serverWith = (...replies: (Reply | undefined)[]) =>
  opened(serverThat((_, count) => replies[Math.min(count, replies.length) - 1]));

function clientOf(baseUrl: string, options: Partial<PathfinderWebhooksClientOptions> = {}) {
  const waits: number[] = [];
  const sleep = async (ms: number) => void waits.push(ms);
  const client = new PathfinderWebhooksClient({ token: TOKEN, baseUrl, sleep, random: () => 0.5, ...options });
  return { client, waits };
}

async function failureOf(work: Promise<unknown>): Promise<PathfinderApiError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isPathfinderApiError(error)) throw new Error(`Not a PathfinderApiError: ${inspect(error)}`);
  return error;
}

describe('client retries', () => {
  it.each([429, 502, 503, 504])(
    'retries an idempotent request after %i with growing delays until it succeeds',
    async (status) => {
      const calls = {
        list: (client: PathfinderWebhooksClient) => client.list(),
        update: (client: PathfinderWebhooksClient) => client.update('webhook_1', { active: true }),
        delete: (client: PathfinderWebhooksClient) => client.delete('webhook_1'),
      };
      for (const [name, call] of Object.entries(calls)) {
        const server = await serverWith({ status }, { status }, name === 'list' ? LIST : ONE);
        const { client, waits } = clientOf(server.url);
        await call(client);
        expect(server.arrived).toHaveLength(3);
        expect(new Set(server.arrived.map(({ method, url, body }) => method + url + body)).size).toBe(1);
        expect(waits).toEqual([100, 200]);
      }
    },
  );

  it.each([429, 502, 503, 504])('never retries a POST after %i', async (status) => {
    const server = await serverWith({ status });
    const { client, waits } = clientOf(server.url);
    const created = await failureOf(client.create({ url: WEBHOOK.url, events: ['user.created'] }));
    const tested = await failureOf(client.test('webhook_1', 'user.created'));
    expect([created.status, created.attempts, tested.status, tested.attempts]).toEqual([status, 1, status, 1]);
    expect([server.arrived.length, waits]).toEqual([2, []]);
  });

  it.each([400, 401, 403, 404, 409, 422, 500, 501])('does not retry after %i', async (status) => {
    const server = await serverWith({ status });
    const { client } = clientOf(server.url);
    expect(await failureOf(client.list())).toMatchObject({ status, attempts: 1 });
    expect(server.arrived).toHaveLength(1);
  });

  it('retries after a broken connection, a POST only once', async () => {
    let connections = 0;
    const server = await opened(
      listen(
        createServer((request, response) => {
          connections++;
          if (connections % 2) request.socket.destroy();
          else response.end(LIST.body);
        }),
      ),
    );
    const { client } = clientOf(server.url);
    expect(await client.list()).toEqual([WEBHOOK]);
    expect(connections).toBe(2);
    const error = await failureOf(client.test('webhook_1', 'user.created'));
    expect([error.code, error.status, error.attempts, connections]).toEqual(['api_unreachable', undefined, 1, 3]);
  });

  it('retries after a truncated response', async () => {
    let count = 0;
    const server = await opened(
      listen(
        createServer((request, response) => {
          if (++count > 1) return void response.end(LIST.body);
          response.writeHead(200, { 'content-length': 1000 });
          response.write('{"suc', () => request.socket.destroy());
        }),
      ),
    );
    expect(await clientOf(server.url).client.list()).toEqual([WEBHOOK]);
    expect(count).toBe(2);
  });

  it('gives up after the configured attempts with the last error', async () => {
    const server = await serverWith({ status: 503 });
    const { client, waits } = clientOf(server.url, { retry: { attempts: 5, baseMs: 1000, capMs: 3000 } });
    expect(await failureOf(client.list())).toMatchObject({ code: 'api_unavailable', status: 503, attempts: 5 });
    expect([server.arrived.length, waits]).toEqual([5, [500, 1000, 1500, 1500]]);
    const unreachable = await failureOf(clientOf(await deadUrl()).client.list());
    expect(unreachable).toMatchObject({ code: 'api_unreachable', attempts: 3 });
    expect(unreachable.message).toContain('(ECONNREFUSED)');
    expect(unreachable.cause).toBeUndefined();
  });

  it('treats a webhook that is gone on the second attempt as deleted', async () => {
    const lost = await serverWith({ status: 502 }, { status: 404 });
    await clientOf(lost.url).client.delete('webhook_1');
    const never = await serverWith({ status: 404 });
    expect(await failureOf(clientOf(never.url).client.delete('webhook_1'))).toMatchObject({ code: 'api_not_found' });
  });

  it('waits as long as Retry-After says, in seconds or until a date', async () => {
    const now = () => Date.parse('2024-03-01T10:00:00Z');
    const date = 'Fri, 01 Mar 2024 10:00:07 GMT';
    const server = await serverWith(
      { status: 429, headers: { 'retry-after': '2' } },
      { status: 503, headers: { 'retry-after': date } },
      LIST,
    );
    const { client, waits } = clientOf(server.url, { now });
    expect(await client.list()).toEqual([WEBHOOK]);
    // A tenth more at most, so that not everybody comes back at the same moment.
    expect(waits).toEqual([2100, 7350]);
  });

  it.each([
    ['longer than the cap', '21'],
    ['a date beyond it', 'Fri, 01 Mar 2024 10:01:00 GMT'],
  ])('does not wait for a Retry-After that is %s, and reports it', async (_, header) => {
    const now = () => Date.parse('2024-03-01T10:00:00Z');
    const server = await serverWith({ status: 429, headers: { 'retry-after': header } });
    const { client, waits } = clientOf(server.url, { now });
    const error = await failureOf(client.list());
    expect(error).toMatchObject({
      code: 'api_rate_limited',
      status: 429,
      attempts: 1,
      retryAfter: header === '21' ? 21 : 60,
    });
    expect([server.arrived.length, waits]).toEqual([1, []]);
    // In a handler, or in `retry`, that is when it runs again.
    const handlerWaits: number[] = [];
    const sleep = async (ms: number) => void handlerWaits.push(ms);
    await retry(() => Promise.reject(error), { attempts: 2, sleep, random: () => 0 }).catch(() => {});
    expect(handlerWaits).toEqual([(error.retryAfter ?? 0) * 1000]);
  });

  it('does not start a wait that exceeds the deadline, and throws the last error instead', async () => {
    const server = await serverWith({ status: 503, headers: { 'retry-after': '5' } });
    const { client, waits } = clientOf(server.url, { timeoutMs: 2000 });
    expect(await failureOf(client.list())).toMatchObject({ code: 'api_unavailable', status: 503 });
    expect(waits).toEqual([]);
  });

  it.each(['soon', '-1', '1e9', ''])('ignores a Retry-After of %j', async (header) => {
    const server = await serverWith({ status: 503, headers: { 'retry-after': header } }, LIST);
    const { client, waits } = clientOf(server.url);
    expect(await client.list()).toEqual([WEBHOOK]);
    expect(waits).toEqual([100]);
  });
});

describe('client limits', () => {
  it('gives up at the deadline when there is no response', async () => {
    const server = await serverWith(undefined);
    const { client } = clientOf(server.url, { timeoutMs: 60 });
    const startedAtMs = performance.now();
    expect(await failureOf(client.list())).toMatchObject({ code: 'api_timeout', status: undefined, attempts: 1 });
    expect(performance.now() - startedAtMs).toBeLessThan(2000);
  });

  it('gives up at the deadline when a response trickles in', async () => {
    const server = await opened(
      listen(
        createServer((_, response) => {
          response.writeHead(200);
          const drip = setInterval(() => response.write(' '), 5);
          response.on('close', () => clearInterval(drip));
        }),
      ),
    );
    const { client } = clientOf(server.url, { timeoutMs: 60 });
    expect(await failureOf(client.list())).toMatchObject({ code: 'api_timeout' });
  });

  it('applies one deadline to all attempts and waits, even with a fetch that ignores its signal', async () => {
    const server = await serverWith({ status: 503 });
    const attempts = { attempts: 1000, baseMs: 20, capMs: 20 };
    const client = new PathfinderWebhooksClient({ token: TOKEN, baseUrl: server.url, timeoutMs: 150, retry: attempts });
    const startedAtMs = performance.now();
    const error = await failureOf(client.list());
    expect(['api_timeout', 'api_unavailable']).toContain(error.code);
    expect(error.attempts).toBeGreaterThan(1);
    expect(performance.now() - startedAtMs).toBeLessThan(2000);
    const deaf = clientOf(server.url, { timeoutMs: 30, fetch: () => new Promise(() => {}) });
    expect(await failureOf(deaf.client.list())).toMatchObject({ code: 'api_timeout' });
  });

  it('rejects with the reason of the caller’s signal during a request and between attempts', async () => {
    const reason = new Error('enough');
    const asked = signalled();
    const server = await opened(
      serverThat(() => {
        asked.resolve();
        return undefined;
      }),
    );
    const abort = new AbortController();
    const call = clientOf(server.url).client.list({ signal: abort.signal });
    await asked.promise;
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    const busy = await serverWith({ status: 503 });
    const waiting = new AbortController();
    const sleep = async () => waiting.abort(reason);
    const { client } = clientOf(busy.url, { sleep });
    await expect(client.list({ signal: waiting.signal })).rejects.toBe(reason);
    expect(busy.arrived).toHaveLength(1);
  });

  it('leaves no timer behind', async () => {
    const server = await serverWith(LIST, { status: 404 });
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const { client } = clientOf(server.url, { timeoutMs: 600_000 });
    const before = timers();
    await client.list();
    await failureOf(client.list());
    expect(timers()).toBeLessThanOrEqual(before + 1);
  });

  it('stops reading at its limit, whatever Content-Length or compression claims', async () => {
    const huge = JSON.stringify({ data: { webhooks: [], padding: 'x'.repeat(2_000_000) } });
    let sent = 0;
    const endless = await opened(
      listen(
        createServer((_, response) => {
          response.writeHead(200);
          const pump = () => {
            while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
          };
          response.on('drain', pump);
          pump();
        }),
      ),
    );
    const bomb = await opened(
      listen(
        createServer((_, response) => {
          response.writeHead(200, { 'content-encoding': 'gzip' });
          response.end(gzipSync(huge));
        }),
      ),
    );
    const announced = await serverWith({ body: huge });
    for (const { url } of [endless, bomb, announced]) {
      expect(await failureOf(clientOf(url).client.list())).toMatchObject({
        code: 'api_response_too_large',
        status: 200,
        attempts: 1,
      });
    }
    expect(sent).toBeLessThan(64 * 1_048_576);
    expect(await clientOf(announced.url, { maxResponseBytes: 3_000_000 }).client.list()).toEqual([]);
  });

  it('reports the status of a failure whose body is too long to read', async () => {
    const server = await serverWith({ status: 500, body: 'x'.repeat(5000) });
    const { client } = clientOf(server.url, { maxResponseBytes: 1000 });
    expect(await failureOf(client.list())).toMatchObject({ code: 'api_unavailable', status: 500 });
  });
});

describe('client redirects', () => {
  it.each([301, 302, 303, 304, 307, 308])(
    'does not follow %i, so that no other server sees the token',
    async (status) => {
      const other = await serverWith(LIST);
      const server = await serverWith({ status, headers: { location: `${other.url}/api/webhooks` } });
      const { client } = clientOf(server.url);
      expect(await failureOf(client.list())).toMatchObject({ code: 'api_redirected', status, attempts: 1 });
      expect(await failureOf(client.create({ url: WEBHOOK.url, events: ['user.created'] }))).toMatchObject({
        code: 'api_redirected',
      });
      expect(other.arrived).toEqual([]);
      expect(server.arrived.map(({ headers }) => headers.authorization)).toEqual([
        `Bearer ${TOKEN}`,
        `Bearer ${TOKEN}`,
      ]);
    },
  );

  it('detects that a fetch which follows redirects reaches the other server', async () => {
    const other = await serverWith(LIST);
    const server = await serverWith({ status: 307, headers: { location: `${other.url}/api/webhooks` } });
    const following: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'follow' });
    await clientOf(server.url, { fetch: following }).client.list();
    expect(other.arrived).toHaveLength(1);
  });
});

describe('client responses', () => {
  it.each([
    ['as documented for one', { success: true, data: { webhooks: [WEBHOOK] } }],
    ['as `data`', { success: true, data: [WEBHOOK] }],
    ['as `webhooks`', { webhooks: [WEBHOOK] }],
    ['bare', [WEBHOOK]],
  ])('reads the list %s', async (_, body) => {
    const server = await serverWith({ body: JSON.stringify(body) });
    expect(await clientOf(server.url).client.list()).toEqual([WEBHOOK]);
  });

  it.each([
    ['as documented', { success: true, data: { webhook: WEBHOOK } }],
    ['as `data`', { success: true, data: WEBHOOK }],
    ['as `webhook`', { webhook: WEBHOOK }],
    ['bare', WEBHOOK],
  ])('reads the webhook %s', async (_, body) => {
    const server = await serverWith({ status: 201, body: JSON.stringify(body) });
    expect(await clientOf(server.url).client.update('webhook_1', { active: true })).toEqual(WEBHOOK);
  });

  it('requires only id, url and events, keeps unknown fields and drops fields of another type', async () => {
    const odd = { ...WEBHOOK, active: 'yes', created_at: null, signing_key: 5, region: 'eu' };
    const server = await serverWith({ body: JSON.stringify({ data: { webhooks: [odd] } }) });
    expect(await clientOf(server.url).client.list()).toEqual([
      { ...WEBHOOK, active: undefined, created_at: undefined, signing_key: undefined, region: 'eu' },
    ]);
  });

  it.each<[string, string, string]>([
    ['not JSON', '<html>', 'It is not JSON.'],
    ['cut off', '{"success":true,"data":{"web', 'It is not JSON.'],
    ['empty', '', 'There is no list at `data.webhooks`.'],
    ['null', 'null', 'There is no list at `data.webhooks`.'],
    ['a number', '5', 'There is no list at `data.webhooks`.'],
    ['without a list', '{"success":true,"data":{}}', 'There is no list at `data.webhooks`.'],
    ['of webhooks that are none', '{"data":{"webhooks":[5]}}', 'Missing or of another type: data.webhooks[0].'],
    [
      'without an id',
      '{"data":{"webhooks":[{"url":"u","events":[]}]}}',
      'Missing or of another type: data.webhooks[0].id.',
    ],
    [
      'with odd events',
      '{"data":{"webhooks":[{"id":"i","url":5,"events":["a",1]}]}}',
      'Missing or of another type: data.webhooks[0].url, data.webhooks[0].events.1.',
    ],
  ])('rejects a list that is %s and names the place', async (_, body, detail) => {
    const server = await serverWith({ body });
    const error = await failureOf(clientOf(server.url).client.list());
    expect(error).toMatchObject({ code: 'api_invalid_response', status: 200, attempts: 1 });
    expect(error.message).toContain(detail);
    expect(server.arrived).toHaveLength(1);
  });

  it.each(['', '{}', '{"success":true}', '{"data":{"webhook":{"id":""}}}'])('rejects %j as a webhook', async (body) => {
    const server = await serverWith({ body });
    const error = await failureOf(clientOf(server.url).client.update('webhook_1', { active: true }));
    expect(error.code).toBe('api_invalid_response');
    expect(error.message).toContain('Missing or of another type: data.webhook');
  });

  it('accepts any 2xx for a deletion, except one that reports a failure', async () => {
    for (const reply of [{ status: 204 }, { body: '{"success":true}' }, { status: 202, body: '' }]) {
      const server = await serverWith(reply);
      expect(await clientOf(server.url).client.delete('webhook_1')).toBeUndefined();
    }
    const failed = await serverWith({ body: '{"success":false,"error":"still in use"}' });
    const error = await failureOf(clientOf(failed.url).client.delete('webhook_1'));
    expect(error).toMatchObject({ code: 'api_rejected', status: 200 });
    expect(error.message).toContain('It said: still in use');
  });

  it.each([
    [400, 'api_rejected'],
    [401, 'api_unauthorized'],
    [403, 'api_forbidden'],
    [404, 'api_not_found'],
    [409, 'api_rejected'],
    [422, 'api_rejected'],
    [429, 'api_rate_limited'],
    [500, 'api_unavailable'],
    [503, 'api_unavailable'],
  ])('maps %i to %s with the status and request id', async (status, code) => {
    const server = await serverWith({ status, headers: { 'x-request-id': 'req_abc' }, body: 'not JSON' });
    const error = await failureOf(clientOf(server.url, { retry: { attempts: 1 } }).client.list());
    expect(error).toMatchObject({ code, status, requestId: 'req_abc' });
    expect(error.message).toMatch(
      new RegExp(`\\(status ${status}, request req_abc\\) See https://.*/errors\\.md#${code}$`),
    );
  });
});

describe("the client's token", () => {
  it('never appears in an error, inspection or JSON, even when the API or fetch echoes it', async () => {
    const secret = randomBytes(16).toString('hex');
    const echo = `Bearer ${TOKEN} and ${secret} \u001b[2J\nline`;
    const headers = { 'x-request-id': `req ${TOKEN}` };
    const replies: Reply[] = [
      { status: 400, headers, body: JSON.stringify({ success: false, error: echo }) },
      { status: 422, headers, body: JSON.stringify({ error: { message: echo } }) },
      { status: 500, headers, body: JSON.stringify({ message: echo }) },
      { status: 200, headers, body: JSON.stringify({ success: false, error: echo }) },
      { status: 200, headers, body: echo },
      { status: 200, headers, body: JSON.stringify({ data: { webhook: { id: 5, [TOKEN]: secret } } }) },
      { status: 302, headers: { ...headers, location: `http://127.0.0.1:9/${TOKEN}` } },
    ];
    const shown: string[] = [];
    const show = (value: unknown) => {
      shown.push(
        inspect(value, { depth: 9, showHidden: true, getters: true }),
        JSON.stringify(value) ?? '',
        String(value),
      );
      if (value instanceof Error) shown.push(value.stack ?? '', inspect(value.cause, { depth: 9, showHidden: true }));
    };
    for (const reply of replies) {
      const { client } = clientOf((await serverWith(reply)).url, { retry: { attempts: 1 } });
      show(client);
      show(await failureOf(client.create({ url: WEBHOOK.url, events: ['user.created'], secret })));
    }
    const leaky: typeof fetch = (_, init) =>
      Promise.reject(Object.assign(new Error(echo), { config: init, code: echo, cause: init }));
    show(await failureOf(clientOf('https://api.example.com', { fetch: leaky }).client.list()));
    show(await failureOf(clientOf(await deadUrl()).client.list()));
    show(await failureOf(clientOf((await serverWith(undefined)).url, { timeoutMs: 20 }).client.list()));
    expect(shown.join('\n')).toContain('It said: Bearer [redacted] and [redacted] [2J line');
    for (const text of shown) {
      expect(text).not.toContain(TOKEN);
      expect(text).not.toContain(secret);
      expect(text).not.toContain('\u001b[2J');
    }
  });

  it.each<[string, string | undefined]>([
    ['unset', undefined],
    ['empty', ''],
    ['blank', ' '],
    ['with a line end', `${TOKEN}\n`],
    ['with a space before it', ` ${TOKEN}`],
    ['with a line end in it', `${TOKEN}\r\nX-Evil: 1`],
    ['with other characters', `${TOKEN}é`],
  ])('is rejected at construction when it is %s, without being shown', (_, token) => {
    const construct = () =>
      new PathfinderWebhooksClient({ token: token as string, baseUrl: 'https://api.example.com' });
    expect(construct).toThrow(TypeError);
    expect(construct).not.toThrow(TOKEN);
  });
});

describe('client options', () => {
  const construct = (options: Partial<PathfinderWebhooksClientOptions>) => () =>
    new PathfinderWebhooksClient({ token: TOKEN, baseUrl: 'https://api.example.com', ...options });

  it.each([
    'http://api.example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://0.0.0.0',
    'http://[::]',
    'http://169.254.169.254',
    'ftp://api.example.com',
    'api.example.com',
    '',
    '/api',
    'https://user:password@api.example.com',
    'https://user@api.example.com',
    'https://api.example.com/?a=1',
    'https://api.example.com/#a',
  ])('rejects the base URL %s', (baseUrl) => {
    expect(construct({ baseUrl })).toThrow(TypeError);
    expect(construct({ baseUrl })).toThrow(/^The client's option baseUrl must be /);
  });

  it.each([
    ['https://api.example.com', 'https://api.example.com'],
    ['https://api.example.com///', 'https://api.example.com'],
    ['https://api.example.com/v1/', 'https://api.example.com/v1'],
    ['http://localhost:3000/', 'http://localhost:3000'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['http://127.1', 'http://127.0.0.1'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    [new URL('https://api.example.com/x'), 'https://api.example.com/x'],
  ])('accepts the base URL %s', (baseUrl, wanted) => {
    expect(construct({ baseUrl })().baseUrl).toBe(wanted);
  });

  it.each<[Partial<PathfinderWebhooksClientOptions>, string]>([
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs'],
    [{ timeoutMs: 2 ** 31 }, 'timeoutMs'],
    [{ maxResponseBytes: 0 }, 'maxResponseBytes'],
    [{ maxResponseBytes: 1.5 }, 'maxResponseBytes'],
    [{ retry: { attempts: 0 } }, 'retry.attempts'],
    [{ retry: { baseMs: -1 } }, 'retry.baseMs'],
    [{ retry: { capMs: Number.POSITIVE_INFINITY } }, 'retry.capMs'],
    [{ retry: { maxRetryAfterMs: Number.NaN } }, 'retry.maxRetryAfterMs'],
  ])('rejects %j', (options, name) => {
    expect(construct(options)).toThrow(`The client's option ${name} must be `);
  });
});

describe('PathfinderApiError', () => {
  it('is recognized across copies of the package, and by code', () => {
    const error = new PathfinderApiError('api_timeout');
    const copy = Object.assign(new Error('a copy'), {
      [Symbol.for('pathfinder.webhooks.PathfinderApiError')]: true,
      code: 'api_timeout',
    });
    for (const one of [error, copy]) {
      expect([
        isPathfinderApiError(one),
        isPathfinderApiError(one, 'api_timeout'),
        isPathfinderApiError(one, 'api_rejected'),
      ]).toEqual([true, true, false]);
    }
    for (const other of [new Error('another'), undefined, null, 'api_timeout', { code: 'api_timeout' }]) {
      expect(isPathfinderApiError(other)).toBe(false);
    }
  });

  it('has a message with a cure and a link for every code', () => {
    expect(PATHFINDER_API_ERROR_CODES).toHaveLength(12);
    for (const code of PATHFINDER_API_ERROR_CODES) {
      const { message, name } = new PathfinderApiError(code);
      expect(message).toMatch(new RegExp(`^[A-Z].*\\. [A-Z].*\\. See https://[^ ]*#${code}$`));
      expect(name).toBe('PathfinderApiError');
    }
  });
});
