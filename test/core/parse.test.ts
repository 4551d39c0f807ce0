import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { isWebhookError, WebhookError, type WebhookErrorCode } from '../../src/errors.ts';
import { parseWebhookEvent } from '../../src/parse.ts';
import { bodyOf, eventOf } from '../support/deliver.ts';

const CANARY = 'canary-7f3a';

function codeOf(body: string | Uint8Array): string {
  try {
    parseWebhookEvent(typeof body === 'string' ? Buffer.from(body) : body);
    return 'event';
  } catch (error) {
    if (!isWebhookError(error)) throw error;
    expect(JSON.stringify(error) + String(error) + String(error.cause)).not.toContain(CANARY);
    return error.code;
  }
}

describe('parseWebhookEvent', () => {
  it('returns the event as it was sent, unknown fields included', () => {
    const event = eventOf({ type: 'brand.new', api_version: '9', extra: { deep: [1] }, previous_attributes: { a: 1 } });
    expect(parseWebhookEvent(Buffer.from(JSON.stringify(event)))).toEqual(event);
  });

  it.each([
    ['', 'invalid_json'],
    [CANARY, 'invalid_json'],
    [`{"id":"${CANARY}`, 'invalid_json'],
    ['{"a":1}{', 'invalid_json'],
    ['\ufeff\ufeff{}', 'invalid_json'],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'invalid_json'],
    ['null', 'invalid_envelope'],
    ['1', 'invalid_envelope'],
    ['"text"', 'invalid_envelope'],
    ['[]', 'invalid_envelope'],
    ['{}', 'invalid_envelope'],
    ['{"__proto__":{"id":"a","type":"b","api_version":"1","created":1,"data":{}}}', 'invalid_envelope'],
    ['\ufeff{}', 'invalid_envelope'],
  ])('rejects %j as %s', (body, code) => {
    expect(codeOf(body)).toBe(code);
  });

  it.each([
    ['id', ['', 'x'.repeat(256), 'a\nb', 'a\u0000', 'é', '\u001b[2J', '\u202e', 1, null, {}, ['a'], true, undefined]],
    ['type', ['', 'x'.repeat(129), 'a\nb', 'ü', 7, null, {}, undefined]],
    ['api_version', [1, null, {}, undefined]],
    ['created', ['1709280000', 1.5, 0, -1, 1e11, 1_709_280_000_000, null, {}, undefined, true]],
    ['data', [null, 'text', 1, [], undefined]],
    ['previous_attributes', ['text', 1, [], true]],
  ])('rejects a hostile %s', (field, values) => {
    for (const value of values)
      expect(codeOf(bodyOf({ [field]: value })), JSON.stringify(value)).toBe('invalid_envelope');
  });

  it.each([
    ['id', ['x', 'x'.repeat(255), 'a b~!']],
    ['type', ['x', 'x'.repeat(128), 'constructor', '__proto__', 'toString']],
    ['created', [1, 99_999_999_999]],
    ['previous_attributes', [{}, null, undefined]],
  ])('accepts a %s at its limits', (field, values) => {
    for (const value of values) expect(codeOf(bodyOf({ [field]: value }))).toBe('event');
  });

  it('rejects 1e400 as a time and reads long numbers as JSON does', () => {
    expect(codeOf(bodyOf().toString().replace('1709280000', '1e400'))).toBe('invalid_envelope');
    const body = bodyOf().toString().replace('"user_1"', '12345678901234567890');
    expect(parseWebhookEvent(Buffer.from(body)).data).toMatchObject({ user: { id: 12_345_678_901_234_567_000 } });
  });

  it('takes the last value of a duplicate key', () => {
    const body = `{"id":"first",${bodyOf({ id: 'last' }).toString().slice(1)}`;
    expect(parseWebhookEvent(Buffer.from(body)).id).toBe('last');
  });

  it.each([
    ['[', ']'],
    ['{"a":', '}'],
  ])('accepts 64 levels of %s and rejects 65', (open, close) => {
    const nested = (levels: number) => `${open.repeat(levels)}1${close.repeat(levels)}`;
    const event = (levels: number) =>
      bodyOf({ data: { deep: 0 } })
        .toString()
        .replace('"deep":0', `"deep":${nested(levels)}`);
    expect(codeOf(event(62))).toBe('event');
    expect(codeOf(event(63))).toBe('invalid_json');
    expect(codeOf(event(5000))).toBe('invalid_json');
  });

  it('counts nesting levels, not brackets, of mixed arrays and objects', () => {
    const side = Array.from({ length: 70 }, () => [{}, []]);
    const nested = (levels: number) => {
      let value: unknown = side;
      for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { value };
      return bodyOf({ data: { value } });
    };
    // The envelope, its data, the list, its pairs and what is in them are five levels.
    expect(codeOf(nested(59))).toBe('event');
    expect(codeOf(nested(60))).toBe('invalid_json');
  });

  it('ignores brackets inside strings and counts siblings as one level', () => {
    const data = { text: `${'[{'.repeat(500)}\\"${'['.repeat(100)}"`, list: Array.from({ length: 500 }, () => ({})) };
    expect(parseWebhookEvent(bodyOf({ data })).data).toEqual(data);
  });

  it.each([
    ['[', 0],
    ['{"a":', 0],
    ['[[]', 0],
    ['["', 0],
    ['{', 0],
    ['"\\"[', 1],
  ])('rejects a megabyte of %j with %i calls of the parser', (text, calls) => {
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    // A search that looks at a character again for each other one would take longer than a test may.
    expect(codeOf(text.repeat(1_048_576 / text.length))).toBe('invalid_json');
    expect(parse).toHaveBeenCalledTimes(calls);
  });

  it.each<[string | Uint8Array, string, string]>([
    [Buffer.from([0x22, 0xff, 0x22]), 'invalid_json', 'It is not UTF-8.'],
    ['['.repeat(65), 'invalid_json', 'It nests deeper than 64 levels.'],
    ['[]', 'invalid_envelope', 'It is not a JSON object.'],
    ['{}', 'invalid_envelope', '`id` must be 1 to 255 printable ASCII characters.'],
  ])('describes what is wrong with %j', (body, code, detail) => {
    const thrown = new WebhookError(code as WebhookErrorCode, { detail });
    expect(() => parseWebhookEvent(Buffer.from(body))).toThrow(thrown);
    expect(thrown.message).toContain(detail);
  });

  it('returns an event or a coded error for any JSON value, and pollutes no prototype', () => {
    const field = fc.constantFrom(
      'id',
      'type',
      'api_version',
      'created',
      'data',
      'previous_attributes',
      '__proto__',
      'constructor',
    );
    const before = Object.getOwnPropertyNames(Object.prototype);
    fc.assert(
      fc.property(field, fc.jsonValue(), (name, value) => {
        const text = bodyOf()
          .toString()
          .replace(/^\{/, `{"${name}":${JSON.stringify(value)},`);
        expect(['event', 'invalid_json', 'invalid_envelope']).toContain(codeOf(text));
        expect(['event', 'invalid_json', 'invalid_envelope']).toContain(codeOf(bodyOf({ [name]: value })));
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => codeOf(bytes) !== 'event'));
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  });
});
