import {
  refuseHead,
  textParams,
  type WebhookDelivery,
  WebhookError,
  type WebhookErrorCode,
  WebhookHandler,
} from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { answered, bodyOf, deliveryOf, recordingLogger, refused, SECRET, sign } from '../support/deliver.ts';

describe('a body shorter than its Content-Length', () => {
  const body = bodyOf();
  const receive = (length: string) => {
    const logger = recordingLogger();
    const webhooks = new WebhookHandler({ secret: SECRET, logger });
    const delivery = deliveryOf(body, { headers: { 'content-length': length } });
    return webhooks
      .receive(delivery)
      .then((reply) => ({ reply, messages: logger.lines.map(({ message }) => message) }));
  };

  it('is reported as truncated by a proxy, with the place to look at', async () => {
    expect(await receive(String(body.length + 1))).toEqual({
      reply: refused(500, 'body_already_parsed'),
      messages: [expect.stringContaining('shorter than its Content-Length: a proxy cut it')],
    });
  });

  it.each([String(body.length), String(body.length - 1), '0', '', 'abc', '-1', '1e', 'Infinity-'])(
    'is accepted when Content-Length says %j',
    async (length) => {
      expect(await receive(length)).toEqual({ reply: answered('unhandled'), messages: [] });
    },
  );
});

describe('a head that an adapter already accepted', () => {
  const webhooks = () => new WebhookHandler({ secret: SECRET, logger: recordingLogger() });
  const accept = (delivery: WebhookDelivery) => refuseHead(delivery, webhooks().limits);
  const unsigned = deliveryOf(bodyOf(), { signature: undefined });

  it('is not read again, so that each header is read once per delivery', async () => {
    const asked: string[] = [];
    const signed = deliveryOf(bodyOf());
    const head = {
      ...signed,
      header(name: string) {
        asked.push(name);
        return signed.header(name);
      },
    };
    expect(await webhooks().receive({ ...head, accepted: accept(head) })).toEqual(answered('unhandled'));
    expect(asked).toEqual(['content-encoding', 'content-length', 'x-pathfinder-signature']);
  });

  it('does not vouch for another body', async () => {
    const accepted = accept(deliveryOf(bodyOf()));
    const other = deliveryOf(bodyOf({ id: 'evt_other' }));
    expect(await webhooks().receive({ ...other, accepted })).toEqual(refused(401, 'invalid_signature'));
    expect(await webhooks().admit({ ...other, accepted })).toEqual({ reply: refused(401, 'invalid_signature') });
  });

  it('reports a body that was truncated after it', async () => {
    const body = bodyOf();
    const accepted = accept(deliveryOf(body, { headers: { 'content-length': String(body.length) } }));
    const cut = { ...deliveryOf(body), body: body.subarray(1), accepted };
    expect(await webhooks().receive(cut)).toEqual(refused(500, 'body_already_parsed'));
  });

  it.each<[what: string, made: (real: object) => unknown]>([
    ['an object of the same form', () => ({ digest: sign(bodyOf()).slice(7), announcedBytes: Number.NaN })],
    ['an object of its prototype', (real) => Object.create(Object.getPrototypeOf(real))],
    ['a copy', (real) => ({ ...real })],
    ['true', () => true],
    ['null', () => null],
  ])('is ignored when it only looks accepted, such as %s, and the headers are read', async (_, made) => {
    const accepted = made(accept(deliveryOf(bodyOf()))) as WebhookDelivery['accepted'];
    expect(await webhooks().receive({ ...unsigned, accepted })).toEqual(refused(401, 'invalid_signature'));
    expect(await webhooks().receive({ ...deliveryOf(bodyOf()), accepted })).toEqual(answered('unhandled'));
  });
});

describe('refuseHead', () => {
  const limits = { maxBodyBytes: 100, bodyTimeoutMs: 1000 };
  const good = { method: 'POST', encoding: undefined, length: '100', signature: `sha256=${'0'.repeat(64)}` };
  const refusalOf = ({ parsed = false, ...head }: Partial<typeof good> & { readonly parsed?: boolean }) => {
    const { method, encoding, length, signature } = { ...good, ...head };
    const headers = new Map([
      ['content-encoding', encoding],
      ['content-length', length],
      ['x-pathfinder-signature', signature],
    ]);
    try {
      const { digest, announcedBytes } = refuseHead({ method, header: (name) => headers.get(name) }, limits, parsed);
      return { digest, announcedBytes };
    } catch (error) {
      return error;
    }
  };
  const bad = { method: 'GET', parsed: true, encoding: 'gzip', length: '101', signature: 'sha1=x' } as never;

  it('reports the first fault in the documented order', () => {
    const faults: unknown[] = [];
    let head: object = bad;
    for (const mended of [{}, { method: 'POST' }, { parsed: false }, { encoding: '' }, { length: '' }]) {
      head = { ...head, ...mended };
      faults.push(refusalOf(head));
    }
    faults.push(refusalOf({ ...head, signature: '' }));
    expect(faults).toEqual(
      [
        'method_not_allowed',
        'body_already_parsed',
        'unsupported_encoding',
        'body_too_large',
        'malformed_signature',
        'missing_signature',
      ].map((code) => new WebhookError(code as WebhookErrorCode)),
    );
  });

  it.each([
    [{}, 100],
    [{ length: '0' }, 0],
    [{ length: 'no number' }, Number.NaN],
    [{ encoding: ' Identity ' }, 100],
    [{ encoding: '' }, 100],
  ] as const)('accepts a head with %j and returns its claims', (head, announcedBytes) => {
    expect(refusalOf(head as never)).toEqual({ digest: '0'.repeat(64), announcedBytes });
  });
});

describe('the limit on the length of a body', () => {
  it.each([
    [100, 'processed'],
    [101, 'body_too_large'],
  ])('a body of %i bytes with a limit of 100 is %s', async (length, expected) => {
    const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger(), maxBodyBytes: 100 });
    webhooks.on('*', () => undefined);
    const short = JSON.stringify({ id: 'e', type: 'a.b', api_version: '1', created: 1, data: {} });
    const body = short.padEnd(length, ' ');
    const answer = await webhooks.handle(body, sign(Buffer.from(body))).then(
      ({ status }) => status,
      (error: WebhookError) => error.code,
    );
    expect(answer).toBe(expected);
  });
});

describe("a request's own logger", () => {
  it("receives the request's rejections while the handler’s logger receives none", async () => {
    const own = recordingLogger();
    const logger = recordingLogger();
    const webhooks = new WebhookHandler({ secret: SECRET, logger });
    const spoilt = Buffer.from('{');
    const delivery = deliveryOf(spoilt, { signature: sign(spoilt) });
    expect(await webhooks.receive(delivery, own)).toEqual(refused(400, 'invalid_json'));
    expect(await webhooks.admit(delivery, own)).toEqual({ reply: refused(400, 'invalid_json') });
    expect(await webhooks.receive(Promise.reject(new Error('reading failed')), own)).toMatchObject({ status: 500 });
    const problem = 'A verified webhook delivery has a problem';
    expect(own.lines.map(({ message }) => message)).toEqual([
      problem,
      problem,
      expect.stringContaining('handler failed'),
    ]);
    expect(logger.lines).toEqual([]);
  });
});

it('route parameters become text, and wildcard segments are joined', () => {
  expect(textParams({ tenant: 'acme', rest: ['a', 'b'], page: undefined, n: 1 })).toEqual({
    tenant: 'acme',
    rest: 'a/b',
    page: '',
    n: '1',
  });
  expect(textParams()).toEqual({});
});
