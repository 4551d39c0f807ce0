import { createHmac, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { WEBHOOK_EVENT_TYPES } from '@pathfinder/webhooks';
import { WebhookTestError, WebhookTester } from '@pathfinder/webhooks/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deadUrl, type Listening, receiverOf, serverThat } from './receiver.ts';

const open: Listening[] = [];

beforeEach(() => {
  vi.spyOn(console, 'log').mockReturnValue();
  vi.spyOn(console, 'error').mockReturnValue();
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const listening of open.splice(0)) await listening.close();
});

async function opened<T extends Listening>(listening: Promise<T>): Promise<T> {
  open.push(await listening);
  return listening;
}

async function failureOf(work: Promise<unknown>): Promise<WebhookTestError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(WebhookTestError);
  return error as WebhookTestError;
}

describe('WebhookTester', () => {
  it('runs the documented usage unchanged', async () => {
    const receiver = await opened(receiverOf({ secret: 'test-secret', validation: 'reject' }));
    const tester = new WebhookTester(receiver.url, 'test-secret');
    const reply = await tester.sendTestEvent('user.created', {
      user: {
        id: 'user_test',
        username: 'test_user',
        email: 'test@example.com',
      },
    });
    expect(reply).toEqual({ success: true, status: 'processed', processed: 1, failed: 0 });
    expect(receiver.seen).toEqual([expect.stringMatching(/^evt_test_/)]);
    expect(vi.mocked(console.log).mock.calls).toEqual([['✅ Webhook test successful:', 200]]);
  });

  it('sends the documented envelope with the given data, signed over the sent bytes', async () => {
    const server = await opened(serverThat(() => ({ body: '{}' })));
    await new WebhookTester(server.url, 'test-secret').sendTestEvent('own.type', { a: 1 });
    const [arrived] = server.arrived;
    if (!arrived) throw new Error('Nothing arrived.');
    const { headers, body, method } = arrived;
    const signature = `sha256=${createHmac('sha256', 'test-secret').update(body).digest('hex')}`;
    expect([method, headers['content-type'], headers['x-pathfinder-signature']]).toEqual([
      'POST',
      'application/json',
      signature,
    ]);
    expect(JSON.parse(body)).toEqual({
      id: expect.stringMatching(/^evt_test_/),
      type: 'own.type',
      api_version: '1.0',
      created: expect.any(Number),
      data: { a: 1 },
    });
  });

  it('sends a valid sample of every type without data, each with its own id', async () => {
    const receiver = await opened(receiverOf({ secret: 'test-secret', validation: 'reject' }));
    const tester = new WebhookTester(receiver.url, 'test-secret', { output: false });
    for (const type of WEBHOOK_EVENT_TYPES) await tester.sendTestEvent(type);
    expect(new Set(receiver.seen).size).toBe(19);
    expect(console.log).not.toHaveBeenCalled();
  });

  it('rejects with status, response and a hint when the secret differs', async () => {
    const receiver = await opened(receiverOf({ secret: 'test-secret' }));
    const error = await failureOf(new WebhookTester(receiver.url, 'other-secret').sendTestEvent('user.created'));
    expect([error.code, error.response?.status, error.response?.data]).toEqual([
      'refused',
      401,
      { success: false, error: 'invalid_signature' },
    ]);
    expect(error.message).toBe(
      'Request failed with status code 401: {"success":false,"error":"invalid_signature"}. Is this the secret that the receiver was started with, and does the receiver hash the raw body?',
    );
    expect(vi.mocked(console.error).mock.calls).toEqual([['❌ Webhook test failed:', error.message]]);
    expect(receiver.seen).toEqual([]);
  });

  it('behaves the same when its output throws or rejects', async () => {
    const receiver = await opened(receiverOf({ secret: 'test-secret' }));
    const outputs = [
      () => {
        throw new Error('no terminal');
      },
      () => Promise.reject(new Error('no terminal')),
    ];
    for (const line of outputs) {
      const output = { log: line, error: line };
      const send = (secret: string) =>
        new WebhookTester(receiver.url, secret, { output }).sendTestEvent('user.created');
      expect(await send('test-secret')).toMatchObject({ success: true });
      expect((await failureOf(send('other-secret'))).code).toBe('refused');
    }
  });

  it('follows no redirect and names its target', async () => {
    const target = await opened(serverThat(() => ({ body: '{}' })));
    const server = await opened(serverThat(() => ({ status: 307, headers: { location: `${target.url}/x` } })));
    const error = await failureOf(new WebhookTester(server.url, 's').sendTestEvent('user.created'));
    expect([error.code, error.response?.status]).toEqual(['redirected', 307]);
    expect(error.message).toContain(`${target.url}/x`);
    expect(target.arrived).toEqual([]);
  });

  it('reports a closed port', async () => {
    const url = await deadUrl();
    const error = await failureOf(new WebhookTester(url, 's').sendTestEvent('user.created'));
    expect([error.code, error.response]).toEqual(['unreachable', undefined]);
    expect(error.message).toMatch(/ECONNREFUSED.* Is the receiver running at http:\/\/127\.0\.0\.1:\d+\?$/);
  });

  it('times out on a receiver that does not respond', async () => {
    const server = await opened(serverThat(() => undefined));
    const tester = new WebhookTester(server.url, 's', { timeoutMs: 50 });
    const error = await failureOf(tester.sendTestEvent('user.created'));
    expect([error.code, error.message]).toEqual([
      'timeout',
      `No whole reply within 50 ms from ${server.url}. Does the handler end?`,
    ]);
  });

  it('returns text for a non-JSON response and escapes a failing one in the message', async () => {
    const server = await opened(
      serverThat((_, count) =>
        count === 1 ? { body: 'OK' } : { status: 500, body: `\x1b[2Jbad\nline${'x'.repeat(9999)}` },
      ),
    );
    const tester = new WebhookTester(server.url, 's');
    expect(await tester.sendTestEvent('user.created')).toBe('OK');
    const error = await failureOf(tester.sendTestEvent('user.created'));
    expect(error.message).toMatch(
      /^Request failed with status code 500: \[2Jbad linex+\. The receiver's log says more\.$/,
    );
    expect(error.message.length).toBeLessThan(400);
  });

  it('rejects a bad URL, a bad secret and an unknown type without data before sending', async () => {
    expect(() => new WebhookTester('localhost:3000', 's')).toThrow(TypeError);
    expect(() => new WebhookTester('/hook', 's')).toThrow(/whole URL/);
    expect(() => new WebhookTester('http://user:pw@localhost/', 's')).toThrow(/without a user name/);
    expect(() => new WebhookTester('http://localhost/', '')).toThrow(TypeError);
    await expect(new WebhookTester('http://localhost/', 's').sendTestEvent('user.craeted')).rejects.toThrow(
      new TypeError(
        'There is no sample of "user.craeted". Did you mean user.created? For a type of your own, pass its data.',
      ),
    );
  });

  it('never shows its secret', async () => {
    const secret = randomBytes(20).toString('hex');
    const tester = new WebhookTester(await deadUrl(), secret);
    const error = await failureOf(tester.sendTestEvent('user.created'));
    const shown = [tester, error].map((it) => inspect(it, { depth: 9, showHidden: true }) + JSON.stringify(it)).join();
    expect(shown + error.stack).not.toContain(secret);
    expect(shown).not.toContain('sha256=');
  });

  it('signs as documented', () => {
    const wanted = `sha256=${createHmac('sha256', 'test-secret').update('{"é":1}').digest('hex')}`;
    expect(new WebhookTester('http://localhost/', 'test-secret').generateSignature('{"é":1}')).toBe(wanted);
  });
});
