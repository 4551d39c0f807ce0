// Constant time is tested by the calls that verification makes, never by a clock.
import * as crypto from 'node:crypto';
import { constructWebhookEvent, verifyWebhookSignature, WebhookHandler } from '@pathfinder/webhooks';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import * as portable from '../../src/hmac/portable.ts';
import { answered, bodyOf, deliveryOf, recordingLogger, refused, sign } from '../support/deliver.ts';

const compared = vi.hoisted((): string[] => []);

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>();
  return {
    ...real,
    timingSafeEqual(a: Uint8Array, b: Uint8Array) {
      compared.push(Buffer.from(a).toString('hex'));
      return real.timingSafeEqual(a, b);
    },
  };
});

const body = bodyOf();
const keys = ['the first secret of three', 'the second secret of three', 'the third secret of three'];
const digestsOf = (secrets: readonly string[]) => secrets.map((secret) => sign(body, secret).slice(7));
const signers = [...keys, 'a secret that is not configured'];
const logger = recordingLogger();

beforeEach(() => {
  compared.length = 0;
});

describe('every configured key is compared by timingSafeEqual, whichever of them signed the body', () => {
  const webhooks = new WebhookHandler({ secret: keys, logger });
  const entries: readonly (readonly [name: string, verify: (signature: string) => unknown])[] = [
    ['verifyWebhookSignature', (signature) => verifyWebhookSignature(body, signature, keys)],
    ['verifySignature', (signature) => webhooks.verifySignature(body, signature)],
    ['constructWebhookEvent', (signature) => Promise.resolve(constructWebhookEvent(body, signature, keys))],
    ['handle', (signature) => webhooks.handle(body, signature)],
    ['receive', (signature) => webhooks.receive(deliveryOf(body, { signature }))],
  ];

  it.each(entries)('%s compares all three keys for each of four signers', async (_, verify) => {
    for (const signer of signers) {
      compared.length = 0;
      await Promise.resolve(sign(body, signer))
        .then(verify)
        .catch(() => undefined);
      expect(compared).toEqual(digestsOf(keys));
    }
    expect(signers).toHaveLength(4);
  });
});

describe('an unknown tenant costs the same comparisons as a known one', () => {
  const webhooks = new WebhookHandler({
    secret: ({ params }) => (params?.tenant === 'acme' ? { secret: keys[0] ?? '', tenant: 'acme' } : undefined),
    logger,
  });
  const receive = (tenant: string, signer: string) =>
    webhooks.receive(deliveryOf(body, { params: { tenant }, signature: sign(body, signer) }));

  it('compares the body with the decoy key of a tenant that does not exist', async () => {
    expect(await receive('acme', signers[3] ?? '')).toEqual(refused(401, 'invalid_signature'));
    expect(compared).toEqual(digestsOf(keys.slice(0, 1)));
    compared.length = 0;
    expect(await receive('nobody', keys[0] ?? '')).toEqual(refused(401, 'invalid_signature'));
    expect(compared).toHaveLength(1);
    expect(digestsOf(signers)).not.toContain(compared[0]);
  });

  it('accepts a delivery of the known tenant after the same single comparison', async () => {
    expect(await receive('acme', keys[0] ?? '')).toEqual(answered('unhandled'));
    expect(compared).toEqual(digestsOf(keys.slice(0, 1)));
  });
});

describe('the portable build of #hmac', () => {
  const digest = crypto.createHmac('sha256', 'a key').update(body).digest();
  const changedAt = (place: number) => Buffer.from(digest.map((byte, i) => (i === place ? byte ^ 1 : byte)));

  it.each([0, 15, 31])('reads all 32 bytes of a digest that differs in byte %i', (place) => {
    const read: number[] = [];
    const { entries } = Uint8Array.prototype;
    const spy = vi.spyOn(Uint8Array.prototype, 'entries').mockImplementation(function* (this: Uint8Array) {
      for (const entry of entries.call(this)) {
        read.push(entry[0]);
        yield entry;
      }
      return undefined;
    } as never);
    const matches = portable.hmacVerifier(Buffer.from('a key'))(body, changedAt(place).toString('hex'));
    spy.mockRestore();
    expect([matches, read]).toEqual([false, Array.from({ length: 32 }, (_, i) => i)]);
  });
});
