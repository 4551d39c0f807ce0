import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { WEBHOOK_EVENT_TYPES, WebhookHandler } from '@pathfinder/webhooks';
import { type SignedRequest, signedRequest } from '@pathfinder/webhooks/testing';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import { type Listening, receiverOf } from './receiver.ts';

const secret = 'whsec_test_0123456789';
const open: Listening[] = [];

afterEach(async () => {
  for (const listening of open.splice(0)) await listening.close();
});

function hmac(body: Uint8Array): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

async function statusOf(request: SignedRequest, url: string): Promise<[number, unknown]> {
  const response = await fetch(request.toRequest(url));
  return [response.status, await response.json()];
}

const processed = { success: true, status: 'processed', processed: 1, failed: 0 };
const refused = { success: false, error: 'invalid_signature' };

describe('signedRequest', () => {
  it('returns matching bytes, headers and event', () => {
    const request = signedRequest('user.created', {
      secret,
      id: 'evt_test_1',
      data: { user: { email: 'é@example.com' } },
    });
    expect(request.headers).toEqual({
      'content-type': 'application/json',
      'x-pathfinder-signature': hmac(request.body),
    });
    expect(JSON.parse(Buffer.from(request.body).toString('utf8'))).toEqual(request.event);
    expect(request.event).toMatchObject({
      id: 'evt_test_1',
      data: { user: { email: 'é@example.com', username: 'ada_lovelace' } },
    });
    expect([request.url, request.method]).toEqual(['http://localhost:3000/webhooks/pathfinder', 'POST']);
  });

  it('returns a new web-standard request for the given URL each time', async () => {
    const request = signedRequest('auth.logout', { secret, url: 'http://a.example/x', headers: { 'X-Trace': '1' } });
    const [first, second] = [request.toRequest(), request.toRequest('http://b.example/y')];
    expect([first.url, second.url, first.method]).toEqual(['http://a.example/x', 'http://b.example/y', 'POST']);
    expect(Object.fromEntries(first.headers)).toEqual({ ...request.headers, 'x-trace': '1' });
    expect(Buffer.from(await first.arrayBuffer())).toEqual(request.body);
    expect(Buffer.from(await second.arrayBuffer())).toEqual(request.body);
  });

  it.each(WEBHOOK_EVENT_TYPES)('is handled by a receiver as expected: %s', async (type) => {
    const receiver = await receiverOf({ secret, validation: 'reject' });
    open.push(receiver);
    const request = signedRequest(type, { secret });
    expect(await statusOf(request, receiver.url)).toEqual([200, processed]);
    expect(receiver.seen).toEqual([request.event.id]);
  });

  it('has a variant for each fault that a receiver distinguishes', async () => {
    const receiver = await receiverOf({ secret, maxAgeSeconds: 3600 });
    open.push(receiver);
    const request = signedRequest('user.created', { secret });
    expect(await statusOf(request.tampered(), receiver.url)).toEqual([401, refused]);
    expect(await statusOf(request.unsigned(), receiver.url)).toEqual([401, refused]);
    expect(await statusOf(request.stale(), receiver.url)).toEqual([400, { success: false, error: 'too_old' }]);
    expect(receiver.seen).toEqual([]);
    expect(await statusOf(request, receiver.url)).toEqual([200, processed]);
    expect(await statusOf(request.duplicate(), receiver.url)).toEqual([
      200,
      { ...processed, status: 'duplicate', processed: 0 },
    ]);
    expect(await statusOf(request.stale(), receiver.url)).toEqual([409, { success: false, error: 'id_conflict' }]);
    expect(receiver.seen).toEqual([request.event.id]);
  });

  it('changes only the named fault in each variant', () => {
    const request = signedRequest('user.created', { secret });
    const tampered = request.tampered();
    expect(tampered.headers).toEqual(request.headers);
    expect(tampered.body.length).toBe(request.body.length);
    expect(hmac(tampered.body)).not.toBe(tampered.headers['x-pathfinder-signature']);
    expect(JSON.parse(Buffer.from(tampered.body).toString())).toEqual({ ...request.event, id: tampered.event.id });
    expect(request.unsigned()).toMatchObject({ body: request.body, headers: { 'content-type': 'application/json' } });
    expect(Object.keys(request.unsigned().headers)).toEqual(['content-type']);
    expect(request.duplicate()).toMatchObject({ body: request.body, headers: request.headers, event: request.event });
    const stale = request.stale(60);
    expect(stale.event).toEqual({ ...request.event, created: request.event.created - 60 });
    expect(stale.headers['x-pathfinder-signature']).toBe(hmac(stale.body));
    expect(request.unsigned().tampered().headers).toEqual({ 'content-type': 'application/json' });
  });

  it('accepts a custom event of any type and overrides', async () => {
    const event = {
      id: 'evt_9',
      type: 'invoice.paid',
      api_version: '1.0',
      created: 1_709_280_000,
      data: { amount: 5, cents: 0 },
    };
    const request = signedRequest(event, { secret, data: { cents: 99 } });
    expect(request.event).toEqual({ ...event, data: { amount: 5, cents: 99 } });
    expect(event.data.cents).toBe(0);
    const webhooks = new WebhookHandler({ secret, logger: { debug() {}, info() {}, warn() {}, error() {} } });
    const seen: string[] = [];
    webhooks.on('*', ({ type }) => void seen.push(type));
    await webhooks.handle(request.body, request.headers['x-pathfinder-signature']);
    expect(seen).toEqual(['invoice.paid']);
  });

  it('tampers with an event that has no id', () => {
    const request = signedRequest('user.created', { secret, id: undefined });
    expect(Buffer.from(request.tampered().body).equals(request.body)).toBe(false);
  });

  it('prints a curl command that a shell runs as the same request', () => {
    const request = signedRequest('user.created', {
      secret,
      url: `http://127.0.0.1:3000/hook?a=1&b='2'`,
      headers: { 'x-quote': `it's $HOME "here"` },
      data: { user: { username: `o'neil $(id) \\ "q" é` } },
    });
    // A function of that name shows what a shell makes of the arguments, without needing the program.
    const stub = `curl() { for argument do printf '%s\\0' "$argument"; done; }\n`;
    const printed = execFileSync('sh', ['-c', stub + request.curl()], { encoding: 'utf8' });
    const given = printed.split('\0').slice(0, -1);
    expect(given).toEqual([
      '-X',
      'POST',
      request.url,
      ...Object.entries(request.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      '--data-raw',
      Buffer.from(request.body).toString(),
    ]);
  });

  it('rejects an unknown name, a bad secret and a bad URL when called', () => {
    expect(() => signedRequest('user.craeted' as 'user.created', { secret })).toThrow(/Did you mean user\.created\?/);
    expect(() => signedRequest('user.created', { secret: '' })).toThrow(TypeError);
    expect(() => signedRequest('user.created', { secret, url: 'nowhere' })).toThrow(TypeError);
  });

  it('is typed by the name of the event', () => {
    expectTypeOf(signedRequest('user.created', { secret }).event.data.user.email).toEqualTypeOf<string>();
    expectTypeOf(signedRequest('user.created', { secret }).body).toExtend<NonNullable<RequestInit['body']>>();
    // @ts-expect-error without a secret nothing is signed
    expect(() => signedRequest('user.created', {})).toThrow(TypeError);
  });
});
