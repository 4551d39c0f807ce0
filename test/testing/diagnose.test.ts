import { createHash, createHmac, randomBytes } from 'node:crypto';
import { verifyWebhookSignature } from '@pathfinder/webhooks';
import {
  diagnoseSignature,
  type HeadersLike,
  type SecretsToTry,
  secretFingerprint,
} from '@pathfinder/webhooks/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

type Bytes = string | Uint8Array;

const SECRET = 'whsec_0123456789abcdef0123456789abcdef';
const EVENT =
  '{"id":"evt_1","type":"user.created","created":1709280000,"data":{"10":1,"2":[],"name":"é/<ö>","ratio":1.0}}';

const hmac = (body: Bytes, secret: Bytes) => createHmac('sha256', secret).update(body).digest('hex');
const headersOf = (signature: string, more: Record<string, string> = {}) => ({
  ...more,
  'X-Pathfinder-Signature': signature,
});
const signed = (body: Bytes, secret: Bytes = SECRET) => headersOf(`sha256=${hmac(body, secret)}`);

// Whatever is found, one's own verification has to agree with `ok`, and the same with another secret must not be found.
function causeOf(payload: Bytes, headers: HeadersLike, secrets: SecretsToTry): string {
  return diagnoseSignature(payload, headers, secrets).cause;
}

describe('diagnoseSignature', () => {
  it('reports a valid signature and the secret that made it', () => {
    expect(diagnoseSignature(EVENT, signed(EVENT), SECRET)).toEqual({
      ok: true,
      cause: 'match',
      why: `The signature is right: the secret (fingerprint ${secretFingerprint(SECRET)}) made it.`,
      fix: 'Nothing to do.',
      secret: undefined,
      fingerprint: createHash('sha256').update(SECRET).digest('hex').slice(0, 4),
    });
    expect(diagnoseSignature(EVENT, signed(EVENT, 'old one'), ['new one', 'old one'])).toMatchObject({
      ok: true,
      cause: 'match',
      secret: 1,
      why: expect.stringContaining('secret 2 of the list'),
    });
  });

  it('agrees with verifyWebhookSignature on any body, secret and change of the header', () => {
    const secrets = fc.oneof(
      fc.string({ minLength: 1 }).filter((text) => text.trim() === text),
      fc.uint8Array({ minLength: 1 }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.uint8Array(), fc.json()), secrets, fc.string(), (body, secret, noise) => {
        const good = `sha256=${hmac(body, secret)}`;
        for (const signature of [
          good,
          good + noise,
          noise + good,
          noise,
          good.toUpperCase(),
          `sha256=${hmac(body, 'x')}`,
        ]) {
          const { ok } = diagnoseSignature(body, headersOf(signature), secret);
          expect(ok).toBe(verifyWebhookSignature(body, signature, secret));
        }
      }),
    );
  });

  describe('diagnoseSignature for the header', () => {
    const digest = hmac(EVENT, SECRET);
    const describeHeader = (signature: string | string[] | undefined) =>
      diagnoseSignature(EVENT, { 'x-pathfinder-signature': signature }, SECRET);

    it.each([
      ['in upper case', `sha256=${digest.toUpperCase()}`, 'its digits are in upper case'],
      ['without prefix', digest, 'the `sha256=` in front is missing'],
      ['of SHA-1', `sha1=${digest.slice(0, 40)}`, 'it starts with `sha1=`'],
      ['of version 1', `v1=${digest}`, 'it starts with `v1=`'],
      ['cut off', `sha256=${digest.slice(0, 60)}`, 'it has 60 characters after the `=`'],
      [
        'in Base64',
        `sha256=${Buffer.from(digest, 'hex').toString('base64')}`,
        'its digest looks like Base64 instead of hex',
      ],
      [
        'as a list',
        `sha256=${digest}, sha256=${digest}`,
        'it is a list of 2 values, as a proxy makes of several headers',
      ],
      ['padded', ` sha256=${digest}`, 'there is white space around it'],
      ['quoted', `"sha256=${digest}"`, 'it is in quotes'],
      ['not hex', `sha256=${'g'.repeat(64)}`, 'not all of its 64 characters are hex digits'],
      ['something else', `${'?'.repeat(500)}`, 'it is 500 characters long and does not start with `sha256=`'],
      ['with a low-byte twin', `sha256=${digest.slice(1)}\u0130`, 'not all of its 64 characters are hex digits'],
      ['twice', [`sha256=${digest}`, `sha256=${digest}`], 'it came 2 times'],
    ])('names a malformed header, %s, without printing it whole', (_, signature, seen) => {
      const found = describeHeader(signature);
      expect(found).toEqual({
        ok: false,
        cause: 'header_malformed',
        why: `X-Pathfinder-Signature must be \`sha256=\` and 64 lower-case hex digits, but ${seen}.`,
        fix: 'Pass the header on as it came; if it came so, find out who sent it, since Pathfinder does not.',
        secret: undefined,
        fingerprint: undefined,
      });
      expect(JSON.stringify(found)).not.toMatch(/[0-9a-f]{16}|\?{3}|g{3}/i);
    });

    it.each([[undefined], [''], [[]]])('reports a missing header: %j', (signature) => {
      expect(describeHeader(signature)).toMatchObject({
        ok: false,
        cause: 'header_missing',
        why: expect.stringContaining('There is no X-Pathfinder-Signature'),
      });
    });

    it('names the header of another sender', () => {
      const headers = new Headers({ 'Stripe-Signature': 't=1,v1=abc' });
      expect(diagnoseSignature(EVENT, headers, SECRET)).toMatchObject({
        cause: 'header_missing',
        why: expect.stringContaining('stripe-signature'),
      });
    });

    it.each([
      ['Headers', new Headers(signed(EVENT))],
      ['a plain object in any case', { 'X-PATHFINDER-SIGNATURE': `sha256=${digest}` }],
      ['a list of one', { 'x-pathfinder-signature': [`sha256=${digest}`] }],
    ])('finds the header in %s', (_, headers) => {
      expect(causeOf(EVENT, headers, SECRET)).toBe('match');
      expect(causeOf(`${EVENT}x`, headers, SECRET)).not.toBe('match');
    });
  });

  describe('diagnoseSignature for the secret', () => {
    const hexKey = randomBytes(24);
    const base64 = hexKey.toString('base64');
    const cases: [name: string, configured: Bytes, made: Bytes, cause: string, why: string][] = [
      ['has a line end', `${SECRET}\n`, SECRET, 'secret_newline', 'without the line end around it'],
      ['has a CRLF', `${SECRET}\r\n`, SECRET, 'secret_newline', 'without the line end around it'],
      ['has a written-out line end', `${SECRET}\\n`, SECRET, 'secret_newline', 'without the `\\n` at its end'],
      ['lost a line end', SECRET, `${SECRET}\n`, 'secret_newline', 'a line end behind the secret'],
      ['has white space', ` ${SECRET}`, SECRET, 'secret_whitespace', 'without the white space around it'],
      ['has a tab', `${SECRET}\t`, SECRET, 'secret_whitespace', 'without the white space around it'],
      ['lost a space', SECRET, `${SECRET} `, 'secret_whitespace', 'a space beside the secret'],
      ['is in double quotes', `"${SECRET}"`, SECRET, 'secret_quotes', 'without the quotes'],
      ['is in single quotes, with a line end', `'${SECRET}'\n`, SECRET, 'secret_quotes', 'without the quotes'],
      ['lost its quotes', SECRET, `"${SECRET}"`, 'secret_quotes', 'quotes around the secret'],
      ['kept whsec_', SECRET, SECRET.slice(6), 'secret_prefix', 'without its `whsec_`'],
      ['dropped whsec_', SECRET.slice(6), SECRET, 'secret_prefix', '`whsec_` in front'],
      ['is Base64, decoded by the sender', base64, hexKey, 'secret_base64', 'the secret is the Base64 of'],
      ['is Base64 behind whsec_', `whsec_${base64}`, hexKey, 'secret_base64', 'the secret is the Base64 of'],
      [
        'is Base64url',
        Buffer.from([251, 255, 190, 1]).toString('base64url'),
        Buffer.from([251, 255, 190, 1]),
        'secret_base64',
        'Base64',
      ],
      ['was decoded from Base64', hexKey, base64, 'secret_base64', 'the Base64 text that the bytes came from'],
      ['was decoded from Base64 behind whsec_', hexKey, `whsec_${base64}`, 'secret_base64', 'the Base64 text'],
      ['is hex, decoded by the sender', hexKey.toString('hex'), hexKey, 'secret_hex', 'the secret is the hex of'],
      ['is hex behind whsec_', `whsec_${hexKey.toString('hex')}`, hexKey, 'secret_hex', 'the secret is the hex of'],
      ['was decoded from hex', hexKey, hexKey.toString('hex'), 'secret_hex', 'the hex text that the bytes came from'],
    ];

    it.each(cases)('explains %s', (_, configured, made, cause, why) => {
      const found = diagnoseSignature(EVENT, signed(EVENT, made), configured);
      expect(found).toMatchObject({ ok: false, cause, fingerprint: secretFingerprint(configured) });
      expect(found.why).toContain(why);
      expect(found.why).toMatch(/^[A-Z].*\.$/s);
      expect(found.fix).toMatch(/^[A-Z].*\.$/s);
      // The twin: made with something else altogether, the same slip explains nothing.
      expect(causeOf(EVENT, signed(EVENT, `${Buffer.from(made).toString('hex')}!`), configured)).toBe('no_match');
    });

    it('rejects a matching secret with surrounding white space', () => {
      const padded = `${SECRET}\n`;
      expect(() => verifyWebhookSignature(EVENT, 'x', padded)).toThrow(TypeError);
      expect(diagnoseSignature(EVENT, signed(EVENT, padded), padded)).toMatchObject({
        ok: false,
        cause: 'secret_newline',
      });
    });

    it('names the other endpoint whose secret matches', () => {
      const secrets = { orders: 'secret of orders', users: ['secret of users', 'older secret of users'] };
      expect(diagnoseSignature(EVENT, signed(EVENT, 'older secret of users'), secrets)).toEqual({
        ok: false,
        cause: 'other_secret',
        why: `The signature was made with the secret "users" (fingerprint ${secretFingerprint('older secret of users')}), which is another endpoint's.`,
        fix: "Configure this endpoint's own secret, or point the other endpoint at its own URL.",
        secret: 'users',
        fingerprint: secretFingerprint('older secret of users'),
      });
      expect(diagnoseSignature(EVENT, signed(EVENT, 'secret of orders'), secrets)).toMatchObject({
        ok: true,
        secret: 'orders',
      });
      expect(causeOf(EVENT, signed(EVENT, 'nobody’s'), secrets)).toBe('no_match');
    });

    it.each([
      [''],
      ['  \n'],
      [undefined],
      [null],
      [[]],
      [['']],
      [{}],
      [{ orders: '', users: SECRET }],
      [new Uint8Array()],
      [7],
    ])('reports a missing secret: %j', (secrets) => {
      expect(diagnoseSignature(EVENT, signed(EVENT), secrets as string)).toMatchObject({
        ok: false,
        cause: 'secret_missing',
      });
    });
  });

  describe('diagnoseSignature for the body', () => {
    const parsed: unknown = JSON.parse(EVENT.replace('"10":1,"2":[],', '').replace('1.0', '1.5'));
    const compact = JSON.stringify(parsed);
    const python = compact.replaceAll('":', '": ').replaceAll(',"', ', "');
    const ascii = (text: string) => text.replaceAll('é', '\\u00e9').replaceAll('ö', '\\u00f6');
    const crlf = JSON.stringify(parsed, undefined, 2).replaceAll('\n', '\r\n');
    const cases: [name: string, made: Bytes, hashed: Bytes, cause: string, why: string][] = [
      [
        'was indented by 2, hashed compact',
        JSON.stringify(parsed, undefined, 2),
        compact,
        'body_reserialized',
        'indented by 2 spaces:',
      ],
      [
        'was indented by 4',
        JSON.stringify(parsed, undefined, 4),
        compact,
        'body_reserialized',
        'indented by 4 spaces:',
      ],
      [
        'was indented by tabs',
        JSON.stringify(parsed, undefined, '\t'),
        compact,
        'body_reserialized',
        'indented by tabs:',
      ],
      [
        'was compact, hashed indented',
        compact,
        JSON.stringify(parsed, undefined, 2),
        'body_reserialized',
        'the same JSON, compact:',
      ],
      ['was of Python', python, compact, 'body_reserialized', 'a space after each comma and colon'],
      ['was of Python with escapes', ascii(python), compact, 'body_reserialized', 'everything but ASCII escaped'],
      ['was of PHP', ascii(compact).replaceAll('/', '\\/'), compact, 'body_reserialized', 'slashes escaped'],
      [
        'was of Go',
        compact.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e'),
        compact,
        'body_reserialized',
        'with <, > and & escaped',
      ],
      [
        'was unescaped, hashed escaped',
        compact,
        ascii(compact),
        'body_reserialized',
        'characters instead of their escapes',
      ],
      [
        'was indented with a line end',
        `${JSON.stringify(parsed, undefined, 2)}\n`,
        compact,
        'body_reserialized',
        'and a line end',
      ],
      [
        'keeps the order of keys and the form of numbers',
        EVENT,
        EVENT.replaceAll(',', ', '),
        'body_reserialized',
        'compact',
      ],
      ['gained a line end', EVENT, `${EVENT}\n`, 'body_newline', 'hashed with a line end that was not signed'],
      ['gained two CRLFs', EVENT, `${EVENT}\r\n\r\n`, 'body_newline', 'hashed with a line end'],
      ['lost a line end', `${EVENT}\n`, EVENT, 'body_newline', 'signed with a line end that was gone'],
      ['lost a CRLF', `${EVENT}\r\n`, EVENT, 'body_newline', 'signed with a line end that was gone'],
      ['gained a BOM', EVENT, `\ufeff${EVENT}`, 'body_bom', 'hashed with a byte order mark'],
      ['lost its BOM', `\ufeff${EVENT}`, EVENT, 'body_bom', 'signed with a byte order mark'],
      ['had CRLF', crlf, crlf.replaceAll('\r', ''), 'body_line_ends', 'signed with CRLF'],
      ['got CRLF', crlf.replaceAll('\r\n', '\r\r\n').replaceAll('\r\r', ''), crlf, 'body_line_ends', 'signed with LF'],
      ['was read as Latin-1', EVENT, Buffer.from(EVENT).toString('latin1'), 'body_charset', 'read as Latin-1'],
      ['was left in Base64', EVENT, Buffer.from(EVENT).toString('base64'), 'body_base64', 'hashed in Base64'],
    ];

    it.each(cases)('explains %s', (_, made, hashed, cause, why) => {
      const found = diagnoseSignature(hashed, signed(made), ['another', SECRET]);
      expect(found).toMatchObject({ ok: false, cause, secret: 1, fingerprint: secretFingerprint(SECRET) });
      expect(found.why).toContain(why);
      expect(found.why).toMatch(/^[A-Z].*\.$/s);
      // The twin: had the content been changed too, no change of form would explain it.
      const altered = Buffer.from(made).toString('latin1').replace('e', 'f');
      expect(['no_match', 'body_shorter']).toContain(causeOf(hashed, signed(Buffer.from(altered, 'latin1')), SECRET));
    });

    it('finds the rest of an earlier body behind Content-Length', () => {
      const headers = { ...signed(EVENT), 'content-length': String(Buffer.byteLength(EVENT)) };
      expect(diagnoseSignature(`${EVENT}"}}`, headers, SECRET)).toMatchObject({
        cause: 'body_longer',
        secret: undefined,
        why: expect.stringContaining('only the first'),
      });
    });

    it.each([
      ['shorter', EVENT.slice(0, -9), 'body_shorter'],
      ['longer', EVENT.replace('evt_1', 'evt_12345'), 'body_longer'],
    ])('reports a body that is %s than Content-Length', (_, hashed, cause) => {
      const [bytes, announced] = [Buffer.byteLength(hashed), Buffer.byteLength(EVENT)];
      const headers = new Headers({ ...signed(EVENT), 'content-length': String(announced) });
      expect(diagnoseSignature(hashed, headers, SECRET)).toMatchObject({
        ok: false,
        cause,
        why: `${bytes} bytes were hashed, but Content-Length says ${announced}: the body was changed or cut before it got here.`,
      });
    });

    it.each([
      ['garbage', EVENT, `${EVENT}"}}`],
      ['another body', EVENT, `${EVENT}${EVENT}`],
      ['garbage behind its line end', `${EVENT}\n`, `${EVENT}\n\0\0`],
      ['a list that holds brackets in texts', '[{"a":"]}\\""}]', '[{"a":"]}\\""}]]'],
    ])('finds %s behind the signed body without a Content-Length', (_, made, hashed) => {
      expect(diagnoseSignature(hashed, signed(made), SECRET)).toMatchObject({
        ok: false,
        cause: 'body_longer',
        why: `${Buffer.byteLength(hashed)} bytes were hashed, but only the first ${Buffer.byteLength(made)}, up to the end of the JSON, were signed.`,
      });
      expect(diagnoseSignature(hashed, signed('other'), SECRET)).toMatchObject({
        cause: 'body_longer',
        why: `${Buffer.byteLength(hashed)} bytes were hashed, and the JSON in them ends after ${Buffer.byteLength(made.trimEnd())}: something else is behind the body.`,
      });
    });

    it.each(['x{}', '{"a":1', '"text" more', ''])(
      'finds nothing behind a body that is not complete JSON: %j',
      (hashed) => {
        expect(causeOf(hashed, signed(EVENT), SECRET)).not.toBe('body_longer');
      },
    );

    it('reports truncated JSON of unknown length', () => {
      expect(causeOf(EVENT.slice(0, -9), signed(EVENT), SECRET)).toBe('body_shorter');
    });

    it('reports a compressed body', () => {
      const headers = { ...signed(EVENT), 'content-encoding': 'gzip', 'content-length': '3' };
      expect(causeOf('\x1f\x8b and more', headers, SECRET)).toBe('body_encoding');
    });

    it('reports a parsed body, and whether the secret matches', () => {
      const found = diagnoseSignature(JSON.parse(python), signed(python), SECRET);
      expect(found).toMatchObject({ ok: false, cause: 'body_parsed', fingerprint: secretFingerprint(SECRET) });
      expect(found.why).toContain('The secret is right');
      expect(diagnoseSignature(JSON.parse(python), signed(python), 'another').why).not.toContain('The secret is right');
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      expect(causeOf(circular as unknown as string, signed(EVENT), SECRET)).toMatch(/^body_(parsed|missing)$/);
    });

    it.each([[undefined], [null], [{}], ['']])('reports a missing body: %j', (payload) => {
      expect(diagnoseSignature(payload, signed(EVENT), SECRET)).toMatchObject({ ok: false, cause: 'body_missing' });
    });
  });

  it('suggests another secret when nothing explains the mismatch, and lists those tried', () => {
    const headers = { ...signed(EVENT, 'somebody else’s'), 'content-length': String(Buffer.byteLength(EVENT)) };
    expect(diagnoseSignature(EVENT, headers, SECRET)).toEqual({
      ok: false,
      cause: 'no_match',
      why: `No usual slip explains it, and the body is as long as Content-Length says: most likely the secret is another endpoint's (fingerprint tried: ${secretFingerprint(SECRET)}).`,
      fix: "Compare the endpoint's URL and secret at Pathfinder with what is configured here, or create a new secret.",
      secret: undefined,
      fingerprint: undefined,
    });
  });

  it('prints no secret, signature or body content, whatever it finds', () => {
    const canary = randomBytes(12).toString('hex');
    const secret = randomBytes(16).toString('hex');
    const body = JSON.stringify({ canary });
    const made = [secret, `${secret}\n`, secret.slice(1), Buffer.from(secret, 'hex'), `whsec_${secret}`];
    const configured = [
      secret,
      ` ${secret}`,
      `"${secret}"`,
      `whsec_${secret}`,
      Buffer.from(secret),
      { a: secret, b: 'x' },
    ];
    const bodies = [body, `${body}\n`, `\ufeff${body}`, JSON.parse(body), body.slice(0, -3), ''];
    const causes = new Set<string>();
    for (const key of made) {
      for (const secrets of configured) {
        for (const hashed of bodies) {
          const found = diagnoseSignature(hashed, signed(body, key), secrets);
          causes.add(found.cause);
          const shown = JSON.stringify(found);
          for (const hidden of [canary, secret, secret.slice(0, 12), hmac(body, key).slice(0, 8)])
            expect(shown).not.toContain(hidden);
        }
      }
    }
    expect(causes.size).toBeGreaterThan(8);
  });

  it('never throws and stays fast for any input', () => {
    const anything = fc.anything();
    fc.assert(
      fc.property(anything, fc.oneof(fc.string(), fc.array(fc.string())), anything, (payload, signature, secrets) => {
        const headers = { 'x-pathfinder-signature': signature, 'content-length': 'x' };
        expect(diagnoseSignature(payload as string, headers, secrets as string)).toMatchObject({ ok: false });
      }),
    );
    const tower = '['.repeat(500_000) + ']'.repeat(500_000);
    const startedAt = performance.now();
    diagnoseSignature(tower, signed('x'), SECRET);
    diagnoseSignature(`["${'\\"'.repeat(250_000)}"]`, signed('x'), SECRET);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
