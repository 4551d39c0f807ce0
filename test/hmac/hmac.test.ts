import * as realCrypto from 'node:crypto';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import * as node from '../../src/hmac/node.ts';
import * as portable from '../../src/hmac/portable.ts';
import * as workerd from '../../src/hmac/workerd.ts';
import { matchesSignature } from '../../src/signature.ts';
import { sign } from '../support/deliver.ts';

type Build = typeof node;

interface Vector {
  readonly name: string;
  readonly key_hex: string;
  readonly payload_base64: string;
  readonly header: string;
  readonly expect: boolean;
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/wycheproof.json', import.meta.url), 'utf8')) as Vector[];

/** The build for Node, on a runtime whose `node:crypto` has no one-shot hash. */
async function withoutOneShot(): Promise<Build> {
  vi.resetModules();
  vi.doMock('node:crypto', () => ({ ...realCrypto, hash: undefined }));
  const build = await import('../../src/hmac/node.ts');
  vi.doUnmock('node:crypto');
  return build;
}

/** The build for Workers, in one without the flag `nodejs_compat`. */
async function withoutFlag(): Promise<Build> {
  vi.resetModules();
  vi.stubGlobal('process', undefined);
  const build = await import('../../src/hmac/workerd.ts');
  vi.unstubAllGlobals();
  return build;
}

const builds: readonly (readonly [string, Build])[] = [
  ['node', node],
  ['node without one-shot hashes', await withoutOneShot()],
  ['portable', portable],
  ['workerd', workerd],
  ['workerd without node:crypto', await withoutFlag()],
];

// The six lines that everything here is compared with.
function reference(body: Uint8Array, header: string, key: Uint8Array): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', key).update(body).digest('hex')}`);
  const given = Buffer.from(header);
  return given.length === expected.length && realCrypto.timingSafeEqual(given, expected);
}

describe.each(builds)('the %s build of HMAC', (_, build) => {
  it('agrees with every Wycheproof vector', () => {
    const disagreements = vectors.filter(({ key_hex, payload_base64, header, expect: expected }) => {
      const key = build.hmacVerifier(Buffer.from(key_hex, 'hex'));
      return matchesSignature(Buffer.from(payload_base64, 'base64'), header, [key]) !== expected;
    });
    expect(disagreements).toEqual([]);
    expect(vectors.filter((vector) => vector.expect)).toHaveLength(33);
  });

  it('agrees with node:crypto on any bytes, key and header', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const key = fc.uint8Array({ minLength: 1, maxLength: 140 });
    const mutation = fc.option(fc.tuple(fc.nat(70), fc.constantFrom('0', 'f', 'A', ' ', 'g', 'é', '')), {
      nil: undefined,
    });
    fc.assert(
      fc.property(bytes, key, mutation, (body, secret, change) => {
        const good = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
        const header = change ? good.slice(0, change[0]) + change[1] + good.slice(change[0] + 1) : good;
        expect(matchesSignature(body, header, [build.hmacVerifier(secret)])).toBe(reference(body, header, secret));
      }),
      { numRuns: 500 },
    );
  });

  it.each([1, 31, 32, 63, 64, 65, 127, 128, 129, 1000])('accepts a key of %i bytes', (length) => {
    const key = Buffer.alloc(length, 0xa5);
    const body = Buffer.from('{}');
    expect(matchesSignature(body, sign(body, key), [build.hmacVerifier(key)])).toBe(true);
    const other = Buffer.from(key);
    other[length - 1] = 0;
    expect(matchesSignature(body, sign(body, other), [build.hmacVerifier(key)])).toBe(false);
  });

  it('pads short keys with zeros, as RFC 2104 says', () => {
    const body = Buffer.from('{}');
    const padded = Buffer.from('secret\0');
    expect(matchesSignature(body, sign(body, 'secret'), [build.hmacVerifier(padded)])).toBe(true);
  });

  it.each([0, 1, 63, 64, 16_383, 16_384, 16_385, 100_000])(
    'hashes a body of %i bytes, as bytes and as text',
    (length) => {
      const body = Buffer.alloc(length, 'x');
      const key = build.hmacVerifier(Buffer.from('secret'));
      const header = sign(body, 'secret');
      expect(matchesSignature(body, header, [key])).toBe(true);
      expect(matchesSignature(body.toString(), header, [key])).toBe(true);
      expect(matchesSignature(Buffer.concat([body, Buffer.from('x')]), header, [key])).toBe(false);
    },
  );

  it('keeps alternating keys apart', () => {
    const body = Buffer.from('{}');
    const keys = ['a', 'b', 'c'].map((secret) => build.hmacVerifier(Buffer.from(secret)));
    for (const [i, secret] of ['a', 'b', 'c', 'a'].entries()) {
      expect(keys.map((key) => matchesSignature(body, sign(body, secret), [key]))).toEqual(
        keys.map((_, at) => at === i % 3),
      );
    }
  });

  it('computes SHA-256 of a body', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(build.sha256Hex(bytes)).toBe(realCrypto.createHash('sha256').update(bytes).digest('hex'));
      }),
    );
  });
});
