import { inspect } from 'node:util';
import { isWebhookError, LeaseLostError, WEBHOOK_ERROR_CODES, WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it, vi } from 'vitest';

const statuses = {
  method_not_allowed: 405,
  body_already_parsed: 500,
  unsupported_encoding: 415,
  body_too_large: 413,
  body_timeout: 408,
  missing_signature: 401,
  malformed_signature: 401,
  signature_mismatch: 401,
  invalid_json: 400,
  invalid_envelope: 400,
  too_old: 400,
  too_new: 400,
  invalid_data: 422,
  id_conflict: 409,
  in_progress: 503,
  handler_failed: 500,
  handler_timeout: 500,
  lease_lost: 503,
  store_unavailable: 503,
  queue_unavailable: 503,
  secret_unavailable: 503,
} as const;

describe('WebhookError', () => {
  it.each(WEBHOOK_ERROR_CODES)('%s has its status, a cure and a link to its page', (code) => {
    const error = new WebhookError(code);
    expect({ ...error, name: error.name }).toEqual({ name: 'WebhookError', code, status: statuses[code] });
    expect(error.message).toMatch(/^\S.*\. \S.*\. See https:\/\/\S+docs\/errors\.md#\w+$/);
    expect(error.message.endsWith(`#${code}`)).toBe(true);
    expect(error).toBeInstanceOf(Error);
  });

  it('has exactly the documented codes', () => {
    expect(WEBHOOK_ERROR_CODES).toEqual(Object.keys(statuses));
  });

  it('describes the exact problem and keeps its cause', () => {
    const cause = new Error('down');
    const error = new WebhookError('store_unavailable', { detail: 'The third time.', cause });
    expect(error.message).toContain('deliveries are accepted again when it does. The third time. See https://');
    expect(error.cause).toBe(cause);
    expect('cause' in new WebhookError('store_unavailable')).toBe(false);
    expect('cause' in new WebhookError('store_unavailable', { cause: undefined })).toBe(true);
  });

  it('shows only its code, status and name', () => {
    const error = new WebhookError('invalid_json', { cause: new Error('cause') });
    expect(JSON.parse(JSON.stringify(error))).toEqual({ code: 'invalid_json', status: 400, name: 'WebhookError' });
    expect(Object.getOwnPropertyNames(error).toSorted()).toEqual([
      'cause',
      'code',
      'message',
      'name',
      'stack',
      'status',
    ]);
    expect(inspect(error)).toContain("code: 'invalid_json'");
  });

  it('is recognized across copies of the package', async () => {
    vi.resetModules();
    const copy = await import('../../src/errors.ts');
    const theirs = new copy.WebhookError('too_old');
    expect(theirs).not.toBeInstanceOf(WebhookError);
    expect([isWebhookError(theirs), isWebhookError(theirs, 'too_old'), isWebhookError(theirs, 'too_new')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(copy.isWebhookError(new LeaseLostError(), 'lease_lost')).toBe(true);
  });

  it('is not confused with other errors', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const others = [undefined, null, 'too_old', 1, {}, new Error('x'), { code: 'too_old', status: 400 }, proxy];
    expect(others.map((other) => isWebhookError(other))).toEqual(others.map(() => false));
  });
});

it('LeaseLostError is a WebhookError with its own code', () => {
  const error = new LeaseLostError({ cause: 1 });
  expect(error).toBeInstanceOf(WebhookError);
  expect({ ...error, name: error.name, cause: error.cause }).toEqual({
    name: 'LeaseLostError',
    code: 'lease_lost',
    status: 503,
    cause: 1,
  });
});
