import type { SecretResolver, TenantSecret, WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAuthenticator } from '../../src/authenticate.ts';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET, sign } from '../support/deliver.ts';
import { plainAsker, receiverWith } from '../support/receiver.ts';

const body = bodyOf();

describe('a secret function', () => {
  it('receives the head of the delivery and nothing of its body', async () => {
    const heads: Parameters<SecretResolver>[0][] = [];
    const waited: unknown[] = [];
    const { webhooks } = receiverWith({
      secret: (head) => {
        heads.push(head);
        head.waitUntil?.(Promise.resolve('work'));
        return { secret: SECRET, tenant: 'a' };
      },
    });
    const options = { url: '/hooks/a', params: { tenant: 'a' }, env: { KV: 1 }, headers: { host: 'example.com' } };
    const waitUntil = (work: Promise<unknown>) => void waited.push(work);
    expect(await webhooks.receive(deliveryOf(body, { ...options, waitUntil }))).toEqual(answered('unhandled'));
    const [{ header, waitUntil: _, ...rest } = { header: () => undefined }] = heads;
    expect(rest).toEqual({ method: 'POST', url: '/hooks/a', params: { tenant: 'a' }, env: { KV: 1 } });
    expect([header('Host'), header('x-none')]).toEqual(['example.com', undefined]);
    expect(waited).toHaveLength(1);
    expect(JSON.stringify(heads)).not.toContain('evt_1');
  });

  it('is not called for a delivery without a well-formed signature', async () => {
    const secret = vi.fn(() => ({ secret: SECRET, tenant: 'a' }));
    const { webhooks } = receiverWith({ secret });
    const codes = [];
    for (const signature of [undefined, '', [], 'nonsense', [sign(body), sign(body)]]) {
      codes.push(await webhooks.handle(body, signature).catch((error: WebhookError) => error.code));
    }
    expect(codes).toEqual([
      'missing_signature',
      'missing_signature',
      'missing_signature',
      'malformed_signature',
      'malformed_signature',
    ]);
    expect(secret).not.toHaveBeenCalled();
  });

  it('rejects an unknown tenant like a mismatch, also when a driver returns null', async () => {
    for (const none of [undefined, null] as unknown as undefined[]) {
      const { webhooks, logger, errors, receive } = receiverWith({ secret: () => none });
      expect(await receive()).toEqual(refused(401, 'invalid_signature'));
      expect(await receive({}, { signature: sign(body, 'there is no such tenant') })).toEqual(
        refused(401, 'invalid_signature'),
      );
      expect([logger.lines, errors]).toEqual([[], []]);
      expect(webhooks.metrics.getStats().rejected).toEqual({ signature_mismatch: 2 });
    }
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('vault');
      },
    ],
    ['rejects', () => Promise.reject(new Error('vault'))],
    ['gives no secret', () => ({ tenant: 'a' })],
    ['gives an empty secret', () => ({ secret: '', tenant: 'a' })],
    ['gives six secrets', () => ({ secret: ['1', '2', '3', '4', '5', '6'], tenant: 'a' })],
    ['gives no tenant', () => ({ secret: SECRET })],
    ['gives an empty tenant', () => ({ secret: SECRET, tenant: '' })],
    ['gives a tenant with a line break', () => ({ secret: SECRET, tenant: 'a\nb' })],
    ['gives a long tenant', () => ({ secret: SECRET, tenant: 'a'.repeat(129) })],
    ['gives a number as tenant', () => ({ secret: SECRET, tenant: 5 })],
    ['gives text', () => SECRET],
  ])('responds 503 when it %s, and logs that once without the secret', async (_, secret) => {
    const { logger, receive } = receiverWith({ secret: secret as () => TenantSecret });
    expect(await receive()).toEqual(refused(503, 'secret_unavailable', RETRY));
    expect(logger.lines.map(({ level, fields }) => [level, fields.code])).toEqual([['error', 'secret_unavailable']]);
    expect(
      JSON.stringify(logger.lines) + String((logger.lines[0]?.fields.err as Error | undefined)?.cause),
    ).not.toContain(SECRET);
  });

  it('is logged with the rule that its tenant breaks', async () => {
    const { logger, receive } = receiverWith({ secret: () => ({ secret: SECRET, tenant: '' }) });
    await receive();
    expect((logger.lines[0]?.fields.err as Error | undefined)?.cause).toEqual(
      new TypeError('`tenant` must be a string of 1 to 128 printable ASCII characters.'),
    );
  });

  it('may call waitUntil on a platform that has none', async () => {
    const { receive } = receiverWith({
      secret: (head) => {
        head.waitUntil?.(Promise.resolve());
        return { secret: SECRET, tenant: 'a' };
      },
    });
    expect(await receive()).toEqual(answered('unhandled'));
  });

  it('accepts every printable ASCII character in a tenant, and several secrets', async () => {
    const tenant = ' ~'.repeat(64);
    const { webhooks, receive } = receiverWith({ secret: async () => ({ secret: ['old', SECRET], tenant }) });
    const seen: unknown[] = [];
    webhooks.on('*', (_, context) => void seen.push(context.tenant));
    expect(await receive()).toEqual(answered('processed', 1));
    expect(seen).toEqual([tenant]);
  });

  it('times out after five seconds, and a later rejection is ignored', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const secret = () =>
      new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error('late')), 6000);
      });
    const { receive } = receiverWith({ secret });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(4999);
    expect(await Promise.race([reply, 'waiting'])).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1);
    expect(await reply).toEqual(refused(503, 'secret_unavailable', RETRY));
    await vi.advanceTimersByTimeAsync(5000);
  });

  it('shares one timer between all pending calls', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { receive } = receiverWith({ secret: () => ({ secret: SECRET, tenant: 'acme' }) });
    await Promise.all([1, 2, 3].map((n) => receive({ id: `evt_${n}` })));
    expect(vi.getTimerCount()).toBe(1);
  });

  it('cannot serve verifySignature, which has no delivery', () => {
    const { webhooks } = receiverWith({ secret: () => undefined });
    expect(() => webhooks.verifySignature(body, sign(body))).toThrow(
      new TypeError('verifySignature needs a fixed secret; this handler looks one up for each delivery. Call receive.'),
    );
  });
});

describe('a fixed secret', () => {
  it('is validated at construction', () => {
    for (const secret of [undefined, null, '', ' ', 5, {}, []]) {
      expect(() => createAuthenticator(secret as never, plainAsker(), recordingLogger())).toThrow(
        /^Webhook secret: pass 1 to 5/,
      );
    }
  });

  it('accepts each configured secret during a rotation and no other', () => {
    const logger = recordingLogger();
    const { matches } = createAuthenticator([SECRET, 'another secret of some length'], plainAsker(), logger);
    expect([SECRET, 'another secret of some length', 'a third'].map((one) => matches(body, sign(body, one)))).toEqual([
      true,
      true,
      false,
    ]);
    expect(logger.lines).toEqual([]);
  });

  it('warns once about a short secret without showing it', () => {
    const logger = recordingLogger();
    createAuthenticator([SECRET, 'hunter2', 'hunter3'], plainAsker(), logger);
    expect(logger.lines.map(({ level, message }) => [level, message.includes('hunter')])).toEqual([['warn', false]]);
  });
});
