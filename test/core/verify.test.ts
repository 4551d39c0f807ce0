import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { verifyWebhookSignature } from '@pathfinder/webhooks/verify';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as node from '../../src/hmac/node.ts';
import * as portable from '../../src/hmac/portable.ts';
import type { HmacVerifier } from '../../src/hmac/types.ts';
import { createKeyring, matchesSignature, readDigest } from '../../src/signature.ts';
import { SECRET, sign } from '../support/deliver.ts';

const read = (name: string) => readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8');

interface Vector {
  readonly name: string;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
  readonly header: string;
  readonly expect: boolean;
}

interface RawVector {
  readonly name: string;
  readonly key_hex: string;
  readonly payload_base64: string;
  readonly header: string;
  readonly expect: boolean;
}

const wycheproof: readonly Vector[] = (JSON.parse(read('wycheproof.json')) as RawVector[]).map((one) => ({
  ...one,
  key: Buffer.from(one.key_hex, 'hex'),
  payload: Buffer.from(one.payload_base64, 'base64'),
}));
const python: readonly Vector[] = (
  JSON.parse(read('python.json')) as { secret: string; payload_base64: string; header: string }[]
).map(({ secret, payload_base64, header }, index) => ({
  name: `python ${index}`,
  key: Buffer.from(secret),
  payload: Buffer.from(payload_base64, 'base64'),
  header,
  expect: true,
}));
const openssl: readonly Vector[] = read('openssl.txt')
  .trim()
  .split('\n')
  .map((line) => {
    const [key = '', payload = '', header = ''] = line.split(' ');
    return {
      name: `openssl ${line}`,
      key: Buffer.from(key, 'hex'),
      payload: Buffer.from(payload, 'hex'),
      header,
      expect: true,
    };
  });

const body = Buffer.from('{"id":"evt_1"}');
const good = sign(body);
const hex = good.slice(7);

// Built from each of the two implementations, and from the first without its one-shot hash.
const builds: readonly (readonly [string, (key: Uint8Array) => HmacVerifier])[] = [
  ['node', node.hmacVerifier],
  ['portable', portable.hmacVerifier],
];

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(builds)('the %s build of #hmac', (_, build) => {
  it.each([...wycheproof, ...python, ...openssl])(
    'agrees with the vector $name',
    ({ key, payload, header, expect: expected }) => {
      expect(matchesSignature(payload, header, [build(key)])).toBe(expected);
    },
  );

  it('rejects a payload or key that differs in one bit', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    const property = fc.property(bytes, bytes, fc.nat(), (payload, key, at) => {
      const header = `sha256=${createHmac('sha256', key).update(payload).digest('hex')}`;
      const flip = (original: Uint8Array) =>
        original.map((byte, i) => (i === at % original.length ? byte ^ (1 << (at % 8)) : byte));
      expect(matchesSignature(payload, header, [build(key)])).toBe(true);
      expect(matchesSignature(flip(payload), header, [build(key)])).toBe(false);
      expect(matchesSignature(payload, header, [build(flip(key))])).toBe(false);
    });
    fc.assert(property);
  });

  it('hashes text of any size as UTF-8', () => {
    for (const text of ['', 'é☃🔑', 'x'.repeat(5462), 'é'.repeat(9000), 'x'.repeat(16_385)]) {
      expect(matchesSignature(text, sign(text), [build(Buffer.from(SECRET))])).toBe(true);
      expect(matchesSignature(`${text}x`, sign(text), [build(Buffer.from(SECRET))])).toBe(false);
    }
  });

  it('computes SHA-256 of a body', () => {
    const { sha256Hex } = build === node.hmacVerifier ? node : portable;
    expect(sha256Hex(Buffer.from('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('keeps no reference to the bytes of a secret', () => {
    const key = Buffer.from(SECRET);
    const verifier = build(key);
    key.fill(0);
    expect(matchesSignature(body, good, [verifier])).toBe(true);
    const large = Buffer.alloc(20_000, 'x');
    expect(matchesSignature(large, sign(large), [verifier])).toBe(true);
  });
});

describe('the signature header', () => {
  const bad: readonly (readonly [string, unknown])[] = [
    ['undefined', undefined],
    ['null', null],
    ['empty', ''],
    ['prefix alone', 'sha256='],
    ['no prefix', hex],
    ['upper-case hex', `sha256=${hex.toUpperCase()}`],
    ['upper-case prefix', `SHA256=${hex}`],
    ['another algorithm', `sha1=${hex}`],
    ['no algorithm', `none=${hex}`],
    ['__proto__ as algorithm', `__proto__=${hex}`],
    ['one digit short', good.slice(0, -1)],
    ['one digit long', `${good}0`],
    ['a blank before', ` ${good}`],
    ['a blank after', `${good} `],
    ['a line break after', `${good}\n`],
    ['a tab after', `${good}\t`],
    ['quotes', `"${good}"`],
    ['a list', `${good},${good}`],
    ['a list as HTTP joins it', `${good}, ${good}`],
    ['colons', `sha256=${hex.replace(/(..)/g, '$1:')}`],
    ['base64', `sha256=${Buffer.from(hex, 'hex').toString('base64')}`],
    ['bad digits at the end', `sha256=${hex.slice(0, 62)}zz`],
    ['half a MAC', `sha256=${hex.slice(0, 32)}`],
    ['64 wide characters', `sha256=${'é'.repeat(64)}`],
    [
      'twins in the low byte',
      `sha256=${[...hex].map((digit) => String.fromCharCode(digit.charCodeAt(0) + 0x100)).join('')}`,
    ],
    [
      'full-width digits',
      `sha256=${[...hex].map((digit) => String.fromCodePoint(digit.charCodeAt(0) + 0xfee0)).join('')}`,
    ],
    ['zeros', `sha256=${'0'.repeat(64)}`],
    ['8 kB', `sha256=${'0'.repeat(8192)}`],
    ['no elements', []],
    ['two elements', [good, good]],
    ['an array in an array', [[good]]],
    ['an object', {}],
    ['a number', 1],
    ['true', true],
    ['bytes', Buffer.from(good)],
    ['a String object', new String(good)],
    ['a symbol', Symbol('x')],
  ];

  it.each(bad)('is rejected when it is %s', (_, header) => {
    expect(verifyWebhookSignature(body, header as string, SECRET)).toBe(false);
  });

  it('is rejected with any length other than 71', () => {
    const digits = good.repeat(3);
    const accepted = Array.from({ length: 201 }, (_, length) => length).filter((length) =>
      verifyWebhookSignature(body, digits.slice(0, length), SECRET),
    );
    expect(accepted).toEqual([71]);
  });

  it('is accepted as an array of one value', () => {
    expect(verifyWebhookSignature(body, good, SECRET)).toBe(true);
    expect(verifyWebhookSignature(body, [good], SECRET)).toBe(true);
    expect(readDigest(good)).toBe(hex);
  });

  it('never throws for any content, and only the right one matches', () => {
    const header = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^sha256=[0-9a-f]{60,70}$/),
      fc.constant(good),
    );
    fc.assert(
      fc.property(header, (value) => {
        expect(verifyWebhookSignature(body, value, SECRET)).toBe(value === good);
      }),
    );
  });

  it.each([' ', '0', 'sha256='])('is rejected when it is a million times %j', (filler) => {
    // A pattern that looks for it from each position would take longer than a test may.
    expect(verifyWebhookSignature(body, filler.repeat(1_000_000), SECRET)).toBe(false);
  });
});

describe('the payload', () => {
  it('can be text, bytes, a view or a buffer, each with its offset and length', () => {
    const whole = Buffer.concat([Buffer.alloc(16, 1), body, Buffer.alloc(16, 2)]);
    const { buffer, byteOffset } = whole;
    const even = Buffer.alloc(32, 'ab');
    const views = [
      body.toString(),
      body,
      whole.subarray(16, 16 + body.length),
      new Uint8Array(buffer, byteOffset + 16, body.length),
      new Uint8Array(body).buffer,
    ];
    for (const view of views) expect(verifyWebhookSignature(view as Uint8Array, good, SECRET)).toBe(true);
    for (const view of [
      new DataView(whole.buffer, byteOffset + 16, body.length),
      new Uint16Array(new Uint8Array(even).buffer),
    ]) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      expect(verifyWebhookSignature(view as unknown as Uint8Array, sign(bytes), SECRET)).toBe(true);
    }
  });

  it('with another byte order mark, line break or invalid UTF-8 does not match', () => {
    const text = Buffer.from('{"name":"\ufffd"}');
    const altered = [
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text]),
      Buffer.concat([text, Buffer.from('\n')]),
      Buffer.from(text.toString('latin1').replace('\xef\xbf\xbd', '\xff'), 'latin1'),
    ];
    expect(verifyWebhookSignature(text, sign(text), SECRET)).toBe(true);
    for (const other of altered) expect(verifyWebhookSignature(other, sign(text), SECRET)).toBe(false);
  });

  it.each([[{ id: 1 }], [[]], [1], [true], [new Date(0)], [() => body], [Symbol('x')]])(
    'that was parsed throws with the cure: %s',
    (payload) => {
      expect(() => verifyWebhookSignature(payload as unknown as string, good, SECRET)).toThrow(
        new TypeError('Pass the raw body: use express.raw() or an adapter, not a parsed one'),
      );
    },
  );

  it('that a body parser left undefined is rejected with one warning', async () => {
    vi.resetModules();
    const fresh = await import('../../src/verify.ts');
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    for (const payload of [undefined, null, {}, undefined]) {
      expect(fresh.verifyWebhookSignature(payload as unknown as string, good, SECRET)).toBe(false);
    }
    expect(warn.mock.calls).toEqual([['Pass the raw body: use express.raw() or an adapter']]);
  });
});

describe('the secret', () => {
  const cure = new TypeError(
    'Webhook secret: pass 1 to 5 non-empty strings or Uint8Arrays, no outer white space, no lone surrogates',
  );

  it.each([
    [undefined],
    [null],
    [''],
    ['   '],
    [0],
    [false],
    [{}],
    [' padded'],
    ['padded\n'],
    ['\ud800abc'],
    [new Uint8Array()],
    [[]],
    [[SECRET, '']],
    [[SECRET, undefined]],
    [['a', 'b', 'c', 'd', 'e', 'f']],
  ])('%j throws with the cure, whatever the signature', (secret) => {
    for (const header of [good, undefined]) {
      expect(() => verifyWebhookSignature(body, header, secret as unknown as string)).toThrow(cure);
    }
  });

  it('in one Unicode form does not match another', () => {
    const nfc = 'pässword';
    expect(verifyWebhookSignature(body, sign(body, nfc), nfc)).toBe(true);
    expect(verifyWebhookSignature(body, sign(body, nfc), nfc.normalize('NFD'))).toBe(false);
    expect(verifyWebhookSignature(body, sign(body, 'abcd'), String.fromCharCode(0x161, 0x162, 0x163, 0x164))).toBe(
      false,
    );
    expect(verifyWebhookSignature(body, sign(body, 'whsec_abc'), 'abc')).toBe(false);
  });

  it.each([0, 1, 2, 3, 4])('matches at position %i of five', (place) => {
    const secrets: (string | Uint8Array)[] = ['one', Buffer.from('two'), 'three', 'four', 'five'];
    const header = sign(body, secrets[place]);
    expect(verifyWebhookSignature(body, header, secrets)).toBe(true);
    expect(
      verifyWebhookSignature(
        body,
        header,
        secrets.filter((_, i) => i !== place),
      ),
    ).toBe(false);
    expect(verifyWebhookSignature(body, header, ['one', 'one', ...secrets.slice(0, 0)])).toBe(place === 0);
  });

  it('is prepared once while it is among the last sixteen', () => {
    const keysOf = createKeyring();
    const first = keysOf('secret 0')[0];
    for (let i = 1; i < 16; i++) keysOf(`secret ${i}`);
    expect(keysOf('secret 0')[0]).toBe(first);
    keysOf('secret 16');
    expect(keysOf('secret 0')[0]).toBe(first);
    const second = keysOf('secret 1')[0];
    expect(keysOf(['secret 1'])[0]).toBe(second);
    for (let i = 20; i < 36; i++) keysOf(`secret ${i}`);
    expect(keysOf('secret 0')[0]).not.toBe(first);
  });

  it.each(['a', 'a\0b', 'pä$sw☃rd🔑', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(500), 'inner space'])(
    '%j is hashed as UTF-8',
    (secret) => {
      expect(verifyWebhookSignature(body, sign(body, secret), secret)).toBe(true);
      expect(verifyWebhookSignature(body, sign(body, secret), Buffer.from(secret))).toBe(true);
      expect(verifyWebhookSignature(body, sign(body, `${secret}x`), secret)).toBe(false);
    },
  );

  it('never appears in a message', () => {
    for (const secret of [' hunter2', 'hunter2\n', 'hunter2\ud800', ['hunter2', ''], Array(6).fill('hunter2')]) {
      expect(() => verifyWebhookSignature(body, good, secret)).not.toThrow(/hunter2/);
    }
  });

  it('given as bytes is read again each time, since bytes change', () => {
    const secret = Buffer.from(SECRET);
    expect(verifyWebhookSignature(body, good, secret)).toBe(true);
    secret[0] = 0;
    expect(verifyWebhookSignature(body, good, secret)).toBe(false);
  });

  it('never appears in an inspected verifier', () => {
    expect(inspect(createKeyring()(SECRET), { depth: 9, showHidden: true })).not.toContain(SECRET);
  });
});
