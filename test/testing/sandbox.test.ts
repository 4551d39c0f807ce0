import { createHmac } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { WEBHOOK_EVENT_TYPES } from '@pathfinder/webhooks';
import { createSandbox, type Sandbox, type SandboxAttempt, type SandboxOptions } from '@pathfinder/webhooks/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { deadUrl, type Listening, listen, type Reply, receiverOf, serverThat, signalled } from './receiver.ts';

const SECRET = 'your-webhook-secret-key';
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function opened<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> {
  const one = await opening;
  open.push(one);
  return one;
}

const sandboxOf = (options?: SandboxOptions) => opened(createSandbox(options));

async function call(
  sandbox: Sandbox,
  method: string,
  path: string,
  body?: unknown,
  token = sandbox.token,
): Promise<{ status: number; body: Answered }> {
  const response = await fetch(sandbox.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answered };
}

/** What the tests read of a reply; the rest they compare whole. */
interface Answered {
  readonly data: { readonly webhook: Registered; readonly event_id: string };
}

interface Registered {
  readonly id: string;
  readonly signing_key: string;
}

async function register(sandbox: Sandbox, to: Listening, fields: object = {}): Promise<Registered> {
  const body = { url: to.url, events: WEBHOOK_EVENT_TYPES, active: true, secret: SECRET, ...fields };
  const answer = await call(sandbox, 'POST', '/api/webhooks', body);
  expect(answer.status).toBe(201);
  return answer.body.data.webhook;
}

function isSigned({ headers, body }: { headers: Record<string, unknown>; body: string }, secret: string): boolean {
  return headers['x-pathfinder-signature'] === `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

describe('the management API of the sandbox', () => {
  it('creates, lists, updates and deletes in the documented shapes', async () => {
    const sandbox = await sandboxOf({ seed: 1, now: () => Date.parse('2024-03-01T10:00:00.123Z') });
    const url = 'http://127.0.0.1:9/webhooks/pathfinder';
    const events = ['user.created', 'user.updated', 'experience.created'];
    const created = await call(sandbox, 'POST', '/api/webhooks', { url, events, active: true, secret: SECRET });
    const { id } = created.body.data.webhook;
    const webhook = { id, url, events, active: true, created_at: '2024-03-01T10:00:00Z' };
    const signing_key = expect.stringMatching(/^whsec_[0-9a-f]{32}$/);
    expect(id).toMatch(/^webhook_[0-9a-f]{12}$/);
    expect(created).toEqual({ status: 201, body: { success: true, data: { webhook: { ...webhook, signing_key } } } });
    expect(await call(sandbox, 'GET', '/api/webhooks')).toEqual({
      status: 200,
      body: { success: true, data: { webhooks: [webhook] } },
    });
    const changed = { ...webhook, events: ['user.created', 'user.deleted'], active: false };
    const changes = { events: ['user.created', 'user.deleted'], active: false };
    expect(await call(sandbox, 'PUT', `/api/webhooks/${id}`, changes)).toEqual({
      status: 200,
      body: { success: true, data: { webhook: changed } },
    });
    expect(await call(sandbox, 'GET', '/api/webhooks')).toEqual({
      status: 200,
      body: { success: true, data: { webhooks: [changed] } },
    });
    expect(await call(sandbox, 'DELETE', `/api/webhooks/${id}`)).toEqual({
      status: 200,
      body: { success: true, data: { id, deleted: true } },
    });
    expect(await call(sandbox, 'GET', '/api/webhooks')).toEqual({
      status: 200,
      body: { success: true, data: { webhooks: [] } },
    });
  });

  it.each([
    ['GET', '/api/webhooks'],
    ['POST', '/api/webhooks'],
    ['PUT', '/api/webhooks/x'],
    ['DELETE', '/api/webhooks/x'],
    ['POST', '/api/webhooks/x/test'],
    ['GET', '/elsewhere'],
  ])('requires the token: %s %s', async (method, path) => {
    const sandbox = await sandboxOf();
    const unauthorized = { status: 401, body: { success: false, error: 'Missing or wrong bearer token' } };
    const body = method === 'GET' ? undefined : {};
    expect(await call(sandbox, method, path, body, `${sandbox.token}x`)).toEqual(unauthorized);
    expect(await call(sandbox, method, path, body, '')).toEqual(unauthorized);
    expect((await call(sandbox, method, path, body)).status).not.toBe(401);
  });

  it.each([
    ['GET', '/api/webhook', 404],
    ['GET', '/api/webhooks/x/y', 404],
    ['PUT', '/api/webhooks/unknown', 404],
    ['DELETE', '/api/webhooks/unknown', 404],
    ['POST', '/api/webhooks/unknown/test', 404],
    ['PUT', '/api/webhooks/%E0%A4%A', 404],
    ['PATCH', '/api/webhooks', 405],
    ['GET', '/api/webhooks/x/test', 405],
  ])('rejects %s %s with %i', async (method, path, status) => {
    const sandbox = await sandboxOf();
    const body = method === 'GET' ? undefined : { event_type: 'user.created' };
    expect(await call(sandbox, method, path, body)).toEqual({
      status,
      body: { success: false, error: expect.any(String) },
    });
  });

  const good = { url: 'http://localhost:1/x', events: ['user.created'] };
  it.each<[unknown, string]>([
    ['{', 'the body is not JSON'],
    ['[]', 'the body is not a JSON object'],
    [JSON.stringify({ ...good, x: 'x'.repeat(70_000) }), 'the body is longer than 65536 bytes'],
    [{ events: ['user.created'] }, '`url` is missing'],
    [{ url: good.url }, '`events` is missing'],
    [{ ...good, url: 'nowhere' }, '`url` must be an absolute URL'],
    [{ ...good, url: 5 }, '`url` must be an absolute URL'],
    [{ ...good, url: 'ftp://localhost/' }, '`url` must be http or https'],
    [{ ...good, url: 'http://u:p@localhost/' }, '`url` must hold no user name and no password'],
    ...[
      'https://example.com/',
      'http://169.254.169.254/',
      'http://[::ffff:10.0.0.1]/',
      'http://127.0.0.1.example.com/',
      'http://0/',
    ].map((url): [unknown, string] => [
      { ...good, url },
      '`url` must be on this machine (localhost, 127.0.0.1 or [::1]): the sandbox delivers nowhere else',
    ]),
    [{ ...good, events: [] }, '`events` must be a list of at least one event type'],
    [{ ...good, events: 'user.created' }, '`events` must be a list of at least one event type'],
    [{ ...good, events: [5] }, 'an event type must be a string'],
    [{ ...good, events: ['user.craeted'] }, 'unknown event type "user.craeted", did you mean user.created?'],
    [{ ...good, active: 'yes' }, '`active` must be true or false'],
    [{ ...good, secret: '' }, '`secret` must be text without white space around it'],
    [{ ...good, secret: 'x\n' }, '`secret` must be text without white space around it'],
  ])('rejects creating %j', async (body, error) => {
    const sandbox = await sandboxOf();
    expect(await call(sandbox, 'POST', '/api/webhooks', body)).toEqual({
      status: 400,
      body: { success: false, error },
    });
    expect(await call(sandbox, 'GET', '/api/webhooks')).toMatchObject({ body: { data: { webhooks: [] } } });
  });

  it('accepts declared custom types', async () => {
    const sandbox = await sandboxOf({ eventTypes: ['invoice.paid'] });
    const server = await opened(serverThat(() => ({})));
    const { id } = await register(sandbox, server, { events: ['invoice.paid'] });
    const event = { id: 'evt_1', type: 'invoice.paid', api_version: '1.0', created: 1_709_280_000, data: {} };
    expect(sandbox.deliver(event)).toBe(1);
    await sandbox.idle();
    expect(JSON.parse(server.arrived[0]?.body ?? '')).toEqual(event);
    const test = await call(sandbox, 'POST', `/api/webhooks/${id}/test`, { event_type: 'invoice.paid' });
    expect(test).toEqual({
      status: 400,
      body: { success: false, error: 'the sandbox has no sample of this type: call deliver' },
    });
  });

  it('sends a test event to one webhook regardless of its subscription, unless it is disabled', async () => {
    const sandbox = await sandboxOf();
    const [asked, other] = [await opened(receiverOf({ secret: SECRET })), await opened(receiverOf({ secret: SECRET }))];
    const { id } = await register(sandbox, asked, { events: ['user.created'] });
    await register(sandbox, other);
    const answer = await call(sandbox, 'POST', `/api/webhooks/${id}/test`, { event_type: 'auth.login' });
    expect(answer).toEqual({
      status: 200,
      body: { success: true, data: { event_id: expect.any(String), event_type: 'auth.login' } },
    });
    await sandbox.idle();
    expect([asked.seen, other.seen]).toEqual([[answer.body.data.event_id], []]);
    expect(sandbox.ledger).toMatchObject([{ type: 'auth.login', endpoint: id, status: 200 }]);
    for (const [event_type, error] of [
      ['user.craeted', 'unknown event type "user.craeted", did you mean user.created?'],
      [undefined, 'an event type must be a string'],
    ]) {
      const refused = await call(sandbox, 'POST', `/api/webhooks/${id}/test`, { event_type });
      expect(refused).toEqual({ status: 400, body: { success: false, error } });
    }
    await call(sandbox, 'PUT', `/api/webhooks/${id}`, { active: false });
    const off = await call(sandbox, 'POST', `/api/webhooks/${id}/test`, { event_type: 'user.created' });
    expect(off).toEqual({ status: 400, body: { success: false, error: 'the webhook is not active' } });
  });
});

describe('deliveries of the sandbox', () => {
  it('reach active subscribers, signed with the secret over the sent bytes', async () => {
    const sandbox = await sandboxOf();
    const servers = await Promise.all([1, 2, 3].map(() => opened(serverThat(() => ({ body: 'OK' })))));
    const [subscribed, inactive, elsewhere] = servers as [Server, Server, Server];
    const { id } = await register(sandbox, subscribed, { events: ['user.created'] });
    await register(sandbox, inactive, { active: false });
    await register(sandbox, elsewhere, { events: ['user.updated'] });
    const event = sandbox.send('user.created', { data: { user: { email: 'grace@example.com' } } });
    await sandbox.idle();
    expect(servers.map(({ arrived }) => arrived.length)).toEqual([1, 0, 0]);
    const [arrived] = subscribed.arrived;
    expect(JSON.parse(arrived?.body ?? '')).toEqual(event);
    expect(event.data.user.email).toBe('grace@example.com');
    expect(arrived && isSigned(arrived, SECRET)).toBe(true);
    expect(arrived && isSigned(arrived, 'another')).toBe(false);
    expect(sandbox.ledger).toEqual([
      {
        id: event.id,
        type: 'user.created',
        endpoint: id,
        url: subscribed.url,
        attempt: 1,
        copy: 1,
        tampered: false,
        status: 200,
        body: 'OK',
        error: undefined,
        outcome: 'delivered',
        startedAtMs: expect.any(Number),
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('are signed with the signing_key on request or without a secret', async () => {
    const server = await opened(serverThat(() => ({})));
    for (const [options, fields] of [
      [{ signWith: 'signing_key' }, {}],
      [{}, { secret: undefined }],
    ] as const) {
      const sandbox = await sandboxOf(options);
      const { signing_key } = await register(sandbox, server, fields);
      sandbox.send('auth.logout');
      await sandbox.idle();
      const arrived = server.arrived.at(-1);
      expect(arrived && isSigned(arrived, signing_key)).toBe(true);
      expect(arrived && isSigned(arrived, SECRET)).toBe(false);
    }
  });

  it("use the webhook's current URL for each attempt, and stop when it is deleted", async () => {
    const arrived = [signalled(), signalled()];
    const refusing = await opened(
      serverThat((_, count) => {
        arrived[count - 1]?.resolve();
        return { status: 500 };
      }),
    );
    const receiver = await opened(receiverOf({ secret: 'whsec_the_new_secret' }));
    const sandbox = await sandboxOf({ retry: { baseMs: 100 } });
    const { id } = await register(sandbox, refusing);
    const moved = sandbox.send('auth.logout');
    await arrived[0]?.promise;
    await call(sandbox, 'PUT', `/api/webhooks/${id}`, { url: receiver.url, secret: 'whsec_the_new_secret' });
    await sandbox.idle();
    expect(receiver.seen).toEqual([moved.id]);
    await call(sandbox, 'PUT', `/api/webhooks/${id}`, { url: refusing.url });
    sandbox.send('auth.logout');
    await arrived[1]?.promise;
    await call(sandbox, 'DELETE', `/api/webhooks/${id}`);
    await sandbox.idle();
    expect(sandbox.ledger.map(({ url, status }) => [url, status])).toEqual([
      [refusing.url, 500],
      [receiver.url, 200],
      [refusing.url, 500],
    ]);
  });

  it('are retried after any non-2xx with the configured backoff and limit', async () => {
    const replies: Reply[] = [
      { status: 500, body: 'no' },
      { status: 302, headers: { location: 'http://127.0.0.1:9/' } },
      { status: 204 },
    ];
    const server = await opened(serverThat((_, count) => replies[count - 1] ?? { status: 503 }));
    const sandbox = await sandboxOf({ retry: { attempts: 3, schedule: [20, 30], jitter: 'none' } });
    await register(sandbox, server);
    const { id } = sandbox.send('auth.logout');
    await sandbox.idle();
    expect(sandbox.ledger.map(shortly)).toEqual([
      [id, 1, 500, 'retrying'],
      [id, 2, 302, 'retrying'],
      [id, 3, 204, 'delivered'],
    ]);
    const [first, second, third] = sandbox.ledger as [SandboxAttempt, SandboxAttempt, SandboxAttempt];
    expect(second.startedAtMs - first.startedAtMs).toBeGreaterThanOrEqual(18);
    expect(third.startedAtMs - second.startedAtMs).toBeGreaterThanOrEqual(28);
    expect(new Set(server.arrived.map(({ body }) => body)).size).toBe(1);
    const { id: lost } = sandbox.send('auth.logout');
    await sandbox.idle();
    expect(sandbox.ledger.slice(3).map(shortly)).toEqual([
      [lost, 1, 503, 'retrying'],
      [lost, 2, 503, 'retrying'],
      [lost, 3, 503, 'failed'],
    ]);
  });

  it('record a missing or late response in the ledger', async () => {
    const silent = await opened(serverThat(() => undefined));
    const sandbox = await sandboxOf({ retry: { attempts: 1 }, timeoutMs: 30, concurrency: 2 });
    await register(sandbox, silent);
    await register(sandbox, { url: await deadUrl(), close: async () => {} });
    sandbox.send('auth.logout');
    await sandbox.idle();
    const told = sandbox.ledger.map(({ status, body, error, outcome }) => [status, body, error, outcome]).sort();
    expect(told).toEqual([
      [undefined, '', 'No whole reply within 30 ms', 'failed'],
      [undefined, '', expect.stringContaining('ECONNREFUSED'), 'failed'],
    ]);
  });

  it('arrive twice with duplicates enabled, and a handler runs once', async () => {
    const receiver = await opened(receiverOf({ secret: SECRET }));
    const sandbox = await sandboxOf({ duplicateRate: 1, concurrency: 4 });
    await register(sandbox, receiver);
    const sent = Array.from({ length: 20 }, () => sandbox.send('user.created').id);
    await sandbox.idle();
    expect(sandbox.ledger).toHaveLength(40);
    expect(sandbox.ledger.filter(({ copy }) => copy === 2)).toHaveLength(20);
    expect(sandbox.ledger.every(({ outcome }) => outcome === 'delivered')).toBe(true);
    expect([...receiver.seen].sort()).toEqual([...sent].sort());
  });

  it('are rejected while tampered with, and succeed on a later attempt', async () => {
    const receiver = await opened(receiverOf({ secret: SECRET }));
    const sandbox = await sandboxOf({ tamperRate: 0.5, seed: 3, retry: { attempts: 20, baseMs: 0 } });
    await register(sandbox, receiver);
    const sent = Array.from({ length: 20 }, () => sandbox.send('user.created').id);
    await sandbox.idle();
    const tampered = sandbox.ledger.filter((attempt) => attempt.tampered);
    expect(tampered.length).toBeGreaterThan(5);
    expect(new Set(tampered.map(({ status, body }) => `${status} ${body}`))).toEqual(
      new Set(['401 {"success":false,"error":"invalid_signature"}']),
    );
    expect(sandbox.ledger.filter(({ outcome }) => outcome === 'delivered')).toHaveLength(20);
    expect([...receiver.seen].sort()).toEqual([...sent].sort());
  });

  it('keep the order of the calls unless configured otherwise', async () => {
    const server = await opened(serverThat(() => ({})));
    const orders: boolean[] = [];
    for (const reorderRate of [0, 0.5]) {
      const sandbox = await sandboxOf({ reorderRate, seed: 5 });
      await register(sandbox, server);
      const sent = Array.from({ length: 20 }, () => sandbox.send('auth.logout').id);
      await sandbox.idle();
      const arrived = sandbox.ledger.map(({ id }) => id);
      orders.push(arrived.join() === sent.join());
      expect([...arrived].sort()).toEqual([...sent].sort());
      const moved = arrived.map((id, place) => Math.abs(place - sent.indexOf(id)));
      expect(Math.max(...moved)).toBeLessThanOrEqual(20);
    }
    expect(orders).toEqual([true, false]);
  });

  it('release a held delivery shortly after when none overtakes it', async () => {
    const { promise, resolve } = signalled();
    const server = await opened(
      serverThat(() => {
        resolve();
        return {};
      }),
    );
    const sandbox = await sandboxOf({ reorderRate: 1 });
    await register(sandbox, server);
    sandbox.send('auth.logout');
    await promise;
    await sandbox.idle();
    expect(sandbox.ledger).toHaveLength(1);
  });

  it('wait for the configured delay without blocking others', async () => {
    const server = await opened(serverThat(() => ({})));
    const sandbox = await sandboxOf({ delayMs: [40, 60], now: () => performance.now() });
    await register(sandbox, server);
    const startedAtMs = performance.now();
    for (let i = 0; i < 5; i++) sandbox.send('auth.logout');
    await sandbox.idle();
    const waits = sandbox.ledger.map((attempt) => attempt.startedAtMs - startedAtMs);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(39);
    expect(Math.max(...waits)).toBeLessThan(5 * 40);
  });

  it.each([1, 3])('run %i at a time at most', async (concurrency) => {
    const waiting: ServerResponse[] = [];
    const together: number[] = [];
    function answerAll() {
      together.push(waiting.length);
      for (const response of waiting.splice(0)) response.end();
    }
    const server = await opened(
      listen(
        createServer((request, response) => {
          request.resume();
          waiting.push(response);
          // A moment for one more to arrive, which must not.
          if (waiting.length === concurrency) setTimeout(answerAll, 30);
        }),
      ),
    );
    const sandbox = await sandboxOf({ concurrency });
    await register(sandbox, server);
    for (let i = 0; i < 6; i++) sandbox.send('auth.logout');
    await sandbox.idle();
    expect(together).toEqual(Array.from({ length: 6 / concurrency }, () => concurrency));
  });

  it('are reproducible by seed', async () => {
    const server = await opened(serverThat((_, count) => ({ status: count % 3 === 0 ? 500 : 200 })));
    async function run(seed: number) {
      server.arrived.length = 0;
      const sandbox = await sandboxOf({
        seed,
        duplicateRate: 0.3,
        reorderRate: 0.3,
        tamperRate: 0.3,
        retry: { baseMs: 0 },
        now: () => 1_709_280_000_000,
      });
      await register(sandbox, server);
      for (const type of WEBHOOK_EVENT_TYPES) sandbox.send(type);
      await sandbox.idle();
      return sandbox.ledger.map(({ durationMs: _, ...attempt }) => attempt);
    }
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(first.some(({ tampered }) => tampered)).toBe(true);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(other[0]?.id).not.toBe(first[0]?.id);
  });

  it('keep the event as it was when they were requested', async () => {
    const server = await opened(serverThat(() => ({})));
    const sandbox = await sandboxOf();
    await register(sandbox, server);
    const event = sandbox.send('user.created');
    (event.data.user as { email: string }).email = 'changed@example.com';
    await sandbox.idle();
    expect(server.arrived[0]?.body).toContain('ada@example.com');
  });
});

describe('a sandbox', () => {
  it('chooses and exposes its seed', async () => {
    const [one, other] = [await sandboxOf(), await sandboxOf()];
    expect(one.seed).not.toBe(other.seed);
    expect(one.token).not.toBe(other.token);
    expect((await sandboxOf({ seed: one.seed })).send('auth.logout').id).toBe(one.send('auth.logout').id);
  });

  it('is idle at once without work, and returns copies of its ledger', async () => {
    const sandbox = await sandboxOf();
    expect(sandbox.send('auth.logout').type).toBe('auth.logout');
    await sandbox.idle();
    (sandbox.ledger as unknown[]).push('x');
    expect(sandbox.ledger).toEqual([]);
  });

  it('closes during an attempt and a wait, and accepts nothing afterwards', async () => {
    const { promise: arrived, resolve } = signalled();
    const server = await opened(
      serverThat(() => {
        resolve();
        return undefined;
      }),
    );
    const sandbox = await createSandbox();
    await register(sandbox, server);
    sandbox.send('auth.logout');
    sandbox.send('auth.logout');
    const idle = sandbox.idle();
    await arrived;
    await sandbox.close();
    await idle;
    expect(sandbox.ledger).toMatchObject([{ outcome: 'failed', error: 'The request was aborted' }]);
    expect(() => sandbox.send('auth.logout')).toThrow('This sandbox is closed.');
    await expect(fetch(sandbox.url)).rejects.toThrow();
    await sandbox.close();
  });

  it('listens on loopback only, on the requested port', async () => {
    const { port } = new URL(await deadUrl());
    const sandbox = await sandboxOf({ port: Number(port) });
    expect(sandbox.url).toBe(`http://127.0.0.1:${port}`);
    await expect(createSandbox({ port: Number(port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('survives invalid HTTP', async () => {
    const sandbox = await sandboxOf();
    const socket = connect(Number(new URL(sandbox.url).port), '127.0.0.1');
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    socket.end('nonsense\r\n\r\n');
    await ended;
    expect((await call(sandbox, 'GET', '/api/webhooks')).status).toBe(200);
  });

  it.each<[SandboxOptions, string]>([
    [{ port: -1 }, 'port'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ duplicateRate: 2 }, 'duplicateRate'],
    [{ reorderRate: -1 }, 'reorderRate'],
    [{ tamperRate: Number.NaN }, 'tamperRate'],
    [{ delayMs: [5, 1] }, 'delayMs'],
    [{ delayMs: [5, 3e9] }, 'delayMs'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ timeoutMs: 3e9 }, 'timeoutMs'],
    [{ timeoutMs: Number.POSITIVE_INFINITY }, 'timeoutMs'],
    [{ seed: 1.5 }, 'seed'],
    [{ token: 'a b' }, 'token'],
    [{ signWith: 'both' as 'secret' }, 'signWith'],
    [{ retry: { attempts: 0 } }, 'attempts'],
  ])('rejects the options %j', async (options, name) => {
    await expect(createSandbox(options)).rejects.toThrow(TypeError);
    await expect(createSandbox(options)).rejects.toThrow(`option ${name} must be`);
  });
});

type Server = Awaited<ReturnType<typeof serverThat>>;

function shortly({ id, attempt, status, outcome }: SandboxAttempt) {
  return [id, attempt, status, outcome];
}
