import { WEBHOOK_ERROR_CODES, WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { resultOf } from '../../src/outcome.ts';
import { replyTo, replyToError } from '../../src/respond.ts';
import { answered, bodyOf, eventOf, HEADERS, RETRY, refused, sign } from '../support/deliver.ts';
import { receiverWith, signedEvent } from '../support/receiver.ts';

const event = signedEvent();
const failures = [{ handlerName: 'a', error: new Error('hunter2') }];

describe('the response to a result', () => {
  it.each([
    ['processed', 2, [], 200, '{"success":true,"status":"processed","processed":2,"failed":0}'],
    ['processed', 0, [], 200, '{"success":true,"status":"processed","processed":0,"failed":0}'],
    ['duplicate', 0, [], 200, '{"success":true,"status":"duplicate","processed":0,"failed":0}'],
    ['unhandled', 0, [], 200, '{"success":true,"status":"unhandled","processed":0,"failed":0}'],
    ['queued', 0, [], 202, '{"success":true,"status":"queued","processed":0,"failed":0}'],
    ['failed', 3, failures, 500, '{"success":false,"status":"failed","processed":3,"failed":1}'],
  ] as const)('has the documented status and body: %s', (status, processed, failed, code, body) => {
    const result = resultOf(status, event, processed, failed);
    expect(replyTo(result)).toEqual({ status: code, headers: HEADERS, body });
    expect(receiverWith().webhooks.reply(result)).toEqual(replyTo(result));
  });

  it('of handle is the response that receive returns', async () => {
    const { webhooks } = receiverWith();
    for (const code of WEBHOOK_ERROR_CODES) {
      const error = new WebhookError(code);
      expect(webhooks.reply(error)).toEqual(replyToError(error));
    }
    const [body, signature] = [bodyOf(), sign(bodyOf())];
    const answer = (...given: Parameters<typeof webhooks.handle>) =>
      webhooks.handle(...given).then(
        (result) => webhooks.reply(result),
        (error) => webhooks.reply(error),
      );
    expect([await answer(body, undefined), await answer(body, sign('other')), await answer(body, signature)]).toEqual([
      refused(401, 'invalid_signature'),
      refused(401, 'invalid_signature'),
      answered('unhandled'),
    ]);
  });

  it('rethrows errors that are not WebhookErrors', () => {
    const { webhooks } = receiverWith();
    const error = new RangeError('canary');
    expect(() => webhooks.reply(error as never)).toThrow(error);
    for (const value of [undefined, null, {}, { status: 'sent' }, { status: 'toString' }, 'processed']) {
      expect(() => webhooks.reply(value as never)).toThrow(
        new TypeError('Pass reply a result of handle, or its error.'),
      );
    }
  });

  it('of in_progress asks the sender to retry later', () => {
    expect(replyTo(resultOf('in_progress', event))).toEqual({
      status: 503,
      headers: { ...HEADERS, ...RETRY },
      body: '{"success":false,"error":"in_progress"}',
    });
  });

  it('can be built from what a custom route has spread and sent', () => {
    const result = resultOf('failed', event, 3, failures);
    expect(JSON.stringify({ success: true, ...result })).toBe(
      '{"success":true,"status":"failed","processed":3,"failed":1}',
    );
    expect([result.event, result.failures]).toEqual([eventOf(), failures]);
    expect(JSON.stringify(result)).toBe('{"status":"failed","processed":3,"failed":1}');
  });
});

describe('the response to a rejection', () => {
  const extras: Readonly<Record<number, Readonly<Record<string, string>>>> = { 405: { allow: 'POST' }, 503: RETRY };

  it.each(WEBHOOK_ERROR_CODES)('has the documented status, headers and body: %s', (code) => {
    const { status } = new WebhookError(code);
    const error = status === 401 ? 'invalid_signature' : code;
    expect(replyToError(new WebhookError(code, { detail: 'detail', cause: 'cause' }))).toEqual({
      status,
      headers: { ...HEADERS, ...extras[status] },
      body: `{"success":false,"error":"${error}"}`,
    });
  });
});
