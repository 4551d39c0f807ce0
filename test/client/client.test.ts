import { WEBHOOK_EVENT_TYPES, WebhookHandler } from '@pathfinder/webhooks';
import { PathfinderWebhooksClient, type SyncWebhook } from '@pathfinder/webhooks/client';
import { createSandbox, type Sandbox, type SandboxOptions } from '@pathfinder/webhooks/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { type Listening, receiverOf, serverThat } from '../testing/receiver.ts';

const URL_A = 'http://localhost:9/webhooks/pathfinder';
const open: { close(): Promise<void> }[] = [];

let sandbox: Sandbox;
let client: PathfinderWebhooksClient;
let calls: string[];

beforeEach(async () => {
  await useSandbox({});
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function useSandbox(options: SandboxOptions): Promise<void> {
  sandbox = await createSandbox(options);
  open.push(sandbox);
  calls = [];
  client = newClient();
}

/** A client of its own, as each replica has one. */
function newClient(): PathfinderWebhooksClient {
  return new PathfinderWebhooksClient({
    token: sandbox.token,
    baseUrl: sandbox.url,
    fetch(input, init) {
      calls.push(`${init?.method} ${new URL(String(input)).pathname}`);
      return fetch(input, init);
    },
  });
}

async function opened<T extends Listening>(listening: Promise<T>): Promise<T> {
  open.push(await listening);
  return listening;
}

describe('PathfinderWebhooksClient against the sandbox', () => {
  it('creates, lists, updates and deletes webhooks', async () => {
    const events = ['user.created', 'user.updated'] as const;
    const created = await client.create({ url: URL_A, events, secret: 'whsec_0123456789' });
    const { signing_key, ...webhook } = created;
    expect(created).toEqual({
      id: expect.stringMatching(/^webhook_/),
      url: URL_A,
      events: [...events],
      active: true,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      signing_key: expect.stringMatching(/^whsec_/),
    });
    expect(signing_key).toBeTypeOf('string');
    expect(await client.list()).toEqual([webhook]);
    const changes = { events: ['user.deleted'], active: false };
    expect(await client.update(webhook.id, changes)).toEqual({ ...webhook, ...changes });
    expect(await client.list()).toEqual([{ ...webhook, ...changes }]);
    expect(await client.delete(webhook.id)).toBeUndefined();
    expect(await client.list()).toEqual([]);
  });

  it('sends only the given fields, and each event type once', async () => {
    const server = await opened(serverThat(() => ({ body: JSON.stringify({ id: 'w', url: URL_A, events: [] }) })));
    const plain = new PathfinderWebhooksClient({ token: 'tok', baseUrl: `${server.url}/prefix/` });
    await plain.create({ url: URL_A, events: ['user.created', 'user.created'] });
    await plain.update('a/b', { active: true });
    await plain.test('w', 'user.created');
    const sent = server.arrived.map(({ method, url, body, headers }) => [
      method,
      url,
      JSON.parse(body),
      headers.authorization,
      headers['content-type'],
    ]);
    expect(sent).toEqual([
      [
        'POST',
        '/prefix/api/webhooks',
        { url: URL_A, events: ['user.created'], active: true },
        'Bearer tok',
        'application/json',
      ],
      ['PUT', '/prefix/api/webhooks/a%2Fb', { active: true }, 'Bearer tok', 'application/json'],
      ['POST', '/prefix/api/webhooks/w/test', { event_type: 'user.created' }, 'Bearer tok', 'application/json'],
    ]);
  });

  it("triggers a test event that a receiver with the webhook's secret accepts", async () => {
    const receiver = await opened(receiverOf({ secret: 'whsec_0123456789' }));
    const { id } = await client.create({ url: receiver.url, events: ['user.created'], secret: 'whsec_0123456789' });
    const answer = await client.test(id, 'user.created');
    await sandbox.idle();
    expect(answer).toEqual({ event_id: receiver.seen[0], event_type: 'user.created' });
  });

  it.each(['secret', 'signing_key'] as const)(
    'registers a receiver that accepts both secrets during a rotation, signed with the %s',
    async (signWith) => {
      await useSandbox({ signWith });
      const server = await opened(serverThat(() => ({})));
      const { signing_key = '' } = await client.create({
        url: server.url,
        events: ['auth.logout'],
        secret: 'whsec_0123456789',
      });
      sandbox.send('auth.logout');
      await sandbox.idle();
      const { body = '', headers } = server.arrived[0] ?? {};
      const signature = headers?.['x-pathfinder-signature'] as string;
      expect(new WebhookHandler(['whsec_0123456789', signing_key]).verifySignature(body, signature)).toBe(true);
      const other = signWith === 'secret' ? signing_key : 'whsec_0123456789';
      expect(new WebhookHandler(other).verifySignature(body, signature)).toBe(false);
    },
  );

  it.each([
    ['update', () => client.update('webhook_gone', { active: false })],
    ['delete', () => client.delete('webhook_gone')],
    ['test', () => client.test('webhook_gone', 'user.created')],
  ])('reports an unknown webhook: %s', async (_, call) => {
    await expect(call()).rejects.toMatchObject({
      name: 'PathfinderApiError',
      code: 'api_not_found',
      status: 404,
      attempts: 1,
      requestId: expect.stringMatching(/^req_\d+$/),
      message: expect.stringContaining('It said: There is no webhook of this id'),
    });
  });

  it('reports a rejected token and a rejected request', async () => {
    const stranger = new PathfinderWebhooksClient({ token: 'tok_stranger', baseUrl: sandbox.url });
    await expect(stranger.list()).rejects.toMatchObject({ code: 'api_unauthorized', status: 401 });
    await expect(client.create({ url: URL_A, events: ['user.craeted'] })).rejects.toMatchObject({
      code: 'api_rejected',
      status: 400,
      message: expect.stringContaining('unknown event type "user.craeted", did you mean user.created?'),
    });
  });

  it('encodes any id as one segment of the path', async () => {
    const server = await opened(serverThat(() => ({ status: 200, body: '{}' })));
    const plain = new PathfinderWebhooksClient({ token: 'tok', baseUrl: server.url });
    const ids = fc.oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.constantFrom('../..', '..%2f', '%2e%2e', 'a/../b', 'x?y', 'x#y', 'x\r\nHost: y', '\\..\\', '...', ' '),
    );
    await fc.assert(
      fc.asyncProperty(
        ids.filter((id) => id !== '.' && id !== '..'),
        async (id) => {
          await plain.delete(id);
          const [, api, webhooks, segment = '', ...rest] = server.arrived.at(-1)?.url.split('/') ?? [];
          expect([api, webhooks, decodeURIComponent(segment), rest]).toEqual(['api', 'webhooks', id, []]);
          expect(segment).not.toMatch(/[?#]/);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([[''], ['.'], ['..'], ['\ud800'], [undefined], [5]])(
    'rejects the id %j before any request is sent',
    async (id) => {
      await expect(client.update(id as string, { active: true })).rejects.toThrow(TypeError);
      await expect(client.delete(id as string)).rejects.toThrow('Pass the id of a webhook');
      await expect(client.test(id as string, 'user.created')).rejects.toThrow(TypeError);
      expect(calls).toEqual([]);
    },
  );

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['no URL', () => client.create({ events: ['user.created'] } as unknown as SyncWebhook), /both `url` and `events`/],
    ['half a URL', () => client.create({ url: '/hook', events: ['user.created'] }), /absolute URL/],
    ['no events', () => client.create({ url: URL_A, events: [] }), /`events` is empty/],
    [
      'events as text',
      () => client.create({ url: URL_A, events: 'user.created' as unknown as string[] }),
      /list of event types/,
    ],
    ['a padded secret', () => client.create({ url: URL_A, events: ['user.created'], secret: 'x\n' }), /white space/],
    ['an empty secret', () => client.update('w', { secret: '' }), /white space around it, or left out/],
    ['no change', () => client.update('w', {}), /at least one of url, events, active and secret/],
    [
      'active as text',
      () => client.update('w', { active: 'no' as unknown as boolean }),
      /`active` must be true or false/,
    ],
    ['no type to test', () => client.test('w', ''), /event type to test/],
    [
      'nothing registered',
      () => client.sync({ url: URL_A, events: new WebhookHandler('whsec_0123456789').eventTypes }),
      /register its handlers/,
    ],
  ])('rejects %s before any request is sent', async (_, call, message) => {
    await expect(call()).rejects.toThrow(TypeError);
    await expect(call()).rejects.toThrow(message);
    expect(calls).toEqual([]);
  });
});

describe('sync', () => {
  const events = ['user.created', 'user.updated'];

  it('creates a missing webhook, then leaves it unchanged', async () => {
    const created = await client.sync({ url: URL_A, events, secret: 'whsec_0123456789' });
    expect(created).toEqual({
      action: 'created',
      webhook: expect.objectContaining({ url: URL_A, events, active: true, signing_key: expect.any(String) }),
    });
    if (created.action !== 'created') throw new Error(created.action);
    const { signing_key: _, ...webhook } = created.webhook;
    calls.length = 0;
    const wanted = { url: URL_A, events: [...events].reverse().concat('user.created'), secret: 'whsec_0123456789' };
    expect(await client.sync(wanted)).toEqual({ action: 'unchanged', webhook });
    expect(calls).toEqual(['GET /api/webhooks']);
  });

  it('creates one webhook for several concurrent calls in one or several processes', async () => {
    const wanted = { url: URL_A, events, secret: 'whsec_0123456789' };
    const results = await Promise.all([client.sync(wanted), client.sync(wanted), client.sync(wanted)]);
    expect(results.map(({ action }) => action)).toEqual(['created', 'unchanged', 'unchanged']);
    expect(await client.list()).toHaveLength(1);
    const replicas = Array.from({ length: 5 }, () => newClient());
    const other = { ...wanted, url: 'http://localhost:9/replicas' };
    const synced = await Promise.all(replicas.map((replica) => replica.sync(other)));
    const [left, ...more] = (await client.list()).filter(({ url }) => url === other.url);
    expect(more).toEqual([]);
    expect(synced.map(({ webhook }) => webhook.id)).toEqual(Array(5).fill(left?.id));
    expect(synced.filter(({ action }) => action === 'created')).toHaveLength(1);
    expect(await client.sync(other)).toMatchObject({ action: 'unchanged', webhook: left });
  });

  it('keeps the webhook that it created when it cannot check for concurrent creations', async () => {
    await useSandbox({});
    const flaky = newClient();
    const list = vi.spyOn(flaky, 'list');
    list.mockResolvedValueOnce([]).mockRejectedValueOnce(new Error('down'));
    expect(await flaky.sync({ url: URL_A, events })).toMatchObject({ action: 'created' });
    expect(await client.list()).toHaveLength(1);
  });

  it('continues after a failed call, and stops waiting for others when its signal aborts', async () => {
    await expect(client.sync({ url: URL_A, events: ['no.such'] })).rejects.toThrow();
    for (const _ of [1, 2]) await client.create({ url: URL_A, events });
    const reason = new Error('enough');
    const controller = new AbortController();
    const waiting = client.sync({ url: URL_A, events }, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(waiting).rejects.toBe(reason);
    await expect(client.sync({ url: URL_A, events })).rejects.toMatchObject({ code: 'api_duplicate_endpoints' });
  });

  it('updates only what differs, then nothing', async () => {
    const { webhook } = await client.sync({ url: URL_A, events });
    calls.length = 0;
    const changed = { ...(await client.list())[0], events: ['user.created', 'auth.login'] };
    expect(await client.sync({ url: URL_A, events: ['user.created', 'auth.login'] })).toEqual({
      action: 'updated',
      webhook: changed,
    });
    expect(await client.sync({ url: URL_A, events: ['auth.login', 'user.created'], active: true })).toMatchObject({
      action: 'unchanged',
    });
    expect(await client.sync({ url: URL_A, events: changed.events, active: false })).toMatchObject({
      action: 'updated',
      webhook: { active: false },
    });
    expect(await client.sync({ url: URL_A, events: changed.events })).toMatchObject({
      action: 'unchanged',
      webhook: { active: false },
    });
    const put = `PUT /api/webhooks/${webhook.id}`;
    expect(calls.filter((call) => call.startsWith('PUT'))).toEqual([put, put]);
    expect(calls.filter((call) => call.startsWith('POST'))).toEqual([]);
  });

  it('subscribes an endpoint to exactly the types of a handler', async () => {
    const webhooks = new WebhookHandler('whsec_0123456789');
    webhooks.on('user.*', () => {}).on('experience.analyzed', () => {});
    const other = await client.create({ url: 'http://localhost:9/other', events: ['auth.login'] });
    await client.sync({ url: URL_A, events: webhooks.eventTypes });
    webhooks.off('experience.analyzed', () => {}).on('auth.login', () => {});
    const { webhook } = await client.sync({ url: URL_A, events: webhooks.eventTypes });
    expect(webhook.events).toEqual(webhooks.eventTypes);
    expect(webhook.events).toEqual([
      ...WEBHOOK_EVENT_TYPES.filter((type) => type.startsWith('user.')),
      'auth.login',
      'experience.analyzed',
    ]);
    expect((await client.list()).map(({ id }) => id)).toEqual([other.id, webhook.id]);
  });

  it('matches a URL however an API normalizes it', async () => {
    const { webhook } = await client.sync({ url: 'http://localhost:9', events });
    expect(await client.sync({ url: 'http://LOCALHOST:9/', events })).toEqual({
      action: 'unchanged',
      webhook: (await client.list())[0],
    });
    expect((await client.sync({ url: 'http://localhost:9/x', events })).webhook.id).not.toBe(webhook.id);
  });

  it('rejects two webhooks with one URL, names them and changes nothing', async () => {
    const [one, two] = [
      await client.create({ url: URL_A, events }),
      await client.create({ url: URL_A, events: ['auth.login'] }),
    ];
    const before = await client.list();
    calls.length = 0;
    await expect(client.sync({ url: URL_A, events: ['auth.logout'] })).rejects.toMatchObject({
      code: 'api_duplicate_endpoints',
      status: undefined,
      message: expect.stringContaining(`They are: ${one.id}, ${two.id}.`),
    });
    // It looks again a few times: others may be about to take back what they created at the same time.
    expect(calls).toEqual(Array(5).fill('GET /api/webhooks'));
    expect(await client.list()).toEqual(before);
    await client.delete(two.id);
    expect(await client.sync({ url: URL_A, events: ['auth.logout'] })).toMatchObject({
      action: 'updated',
      webhook: { id: one.id },
    });
  });

  it('stops when the caller’s signal aborts', async () => {
    const reason = new Error('enough');
    await expect(client.sync({ url: URL_A, events }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(calls).toEqual([]);
  });

  it('returns a type that tells what was done', async () => {
    const result = await client.sync({ url: URL_A, events });
    expect(result.action).toBe('created');
    expectTypeOf(result.action).toEqualTypeOf<'created' | 'updated' | 'unchanged'>();
    if (result.action === 'created') expectTypeOf(result.webhook.signing_key).toEqualTypeOf<string | undefined>();
  });
});
