import { textParams, WebhookHandler } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { answered, bodyOf, deliveryOf, recordingLogger, refused, SECRET, sign } from './support/deliver.ts';

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

  it('was cut on its way: the set-up is at fault, and the log says where to look', async () => {
    expect(await receive(String(body.length + 1))).toEqual({
      reply: refused(500, 'body_already_parsed'),
      messages: [expect.stringContaining('shorter than its Content-Length: a proxy cut it')],
    });
  });

  it.each([String(body.length), String(body.length - 1), '0', '', 'abc', '-1', '1e', 'Infinity-'])(
    'is none where that says %j',
    async (length) => {
      expect(await receive(length)).toEqual({ reply: answered('unhandled'), messages: [] });
    },
  );
});

describe("a request's own logger", () => {
  it('is told of its refusals, and the handler’s of nothing', async () => {
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

it('parameters of a route are text, and the segments of a wildcard are joined', () => {
  expect(textParams({ tenant: 'acme', rest: ['a', 'b'], page: undefined, n: 1 })).toEqual({
    tenant: 'acme',
    rest: 'a/b',
    page: '',
    n: '1',
  });
  expect(textParams()).toEqual({});
});
