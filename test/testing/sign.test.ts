import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { verifyWebhookSignature } from '@pathfinder/webhooks';
import { secretFingerprint, signWebhookPayload } from '@pathfinder/webhooks/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

function reference(payload: string | Uint8Array, secret: string | Uint8Array): string {
  return `sha256=${createHmac('sha256', secret).update(payload).digest('hex')}`;
}

describe('signWebhookPayload', () => {
  it('signs text and bytes like node:crypto, and its signatures verify', () => {
    const secrets = fc.oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text.trim() === text),
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
    );
    const payloads = fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array());
    fc.assert(
      fc.property(payloads, secrets, (payload, secret) => {
        const signature = signWebhookPayload(payload, secret);
        expect(signature).toBe(reference(payload, secret));
        expect(verifyWebhookSignature(payload, signature, secret)).toBe(true);
        expect(verifyWebhookSignature(`${payload} `, signature, secret)).toBe(false);
      }),
    );
  });

  it('reproduces the published vectors', () => {
    const file = new URL('../vectors/wycheproof.json', import.meta.url);
    const cases = JSON.parse(readFileSync(file, 'utf8')) as WycheproofCase[];
    const valid = cases.filter(({ expect: wanted, key_hex }) => wanted === true && key_hex !== '');
    expect(valid.length).toBeGreaterThan(30);
    for (const { key_hex, payload_base64, header } of valid) {
      expect(signWebhookPayload(Buffer.from(payload_base64, 'base64'), Buffer.from(key_hex, 'hex'))).toBe(header);
    }
  });

  it('respects the offset and length of a view, and hashes an ArrayBuffer whole', () => {
    const view = Buffer.from('xx{}yy').subarray(2, 4);
    expect(signWebhookPayload(view, 's')).toBe(reference('{}', 's'));
    expect(signWebhookPayload(new TextEncoder().encode('{}').buffer, 's')).toBe(reference('{}', 's'));
  });

  it.each<[unknown, string]>([
    ['', 'empty'],
    ['   ', 'blank'],
    ['s\n', 'padded'],
    ['\ud800', 'ill-formed'],
    [undefined, 'unset'],
    [[], 'a list'],
    [new Uint8Array(), 'no bytes'],
  ])('rejects the secret %j: %s', (secret) => {
    expect(() => signWebhookPayload('{}', secret as string)).toThrow(TypeError);
    expect(() => verifyWebhookSignature('{}', reference('{}', 's'), secret as string)).toThrow(TypeError);
  });

  it('rejects an object, which has no bytes, and explains the fix', () => {
    expect(() => signWebhookPayload({} as string, 's')).toThrow(/JSON\.stringify an object once/);
  });
});

describe('secretFingerprint', () => {
  it('returns the first four hex digits of the SHA-256 for text and bytes', () => {
    const wanted = createHash('sha256').update('tést').digest('hex').slice(0, 4);
    expect([secretFingerprint('tést'), secretFingerprint(Buffer.from('tést'))]).toEqual([wanted, wanted]);
    expect(secretFingerprint('test')).not.toBe(wanted);
  });

  it('rejects an invalid secret', () => {
    expect(() => secretFingerprint(undefined as unknown as string)).toThrow(TypeError);
  });
});

interface WycheproofCase {
  readonly expect: unknown;
  readonly key_hex: string;
  readonly payload_base64: string;
  readonly header: string;
}
