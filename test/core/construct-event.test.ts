import { constructWebhookEvent, isWebhookError, LeaseLostError, WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { bodyOf, eventOf, SECRET, sign } from '../support/deliver.ts';

function codeOf(construct: () => unknown): string {
  try {
    construct();
    return 'event';
  } catch (error) {
    return isWebhookError(error) ? error.code : String(error);
  }
}

describe('constructWebhookEvent', () => {
  it('returns a verified event from bytes or text', () => {
    expect(constructWebhookEvent(bodyOf(), sign(bodyOf()), SECRET)).toEqual(eventOf());
    expect(constructWebhookEvent(bodyOf().toString(), [sign(bodyOf())], ['other', SECRET])).toEqual(eventOf());
    const view = new DataView(new Uint8Array(bodyOf()).buffer);
    expect(constructWebhookEvent(view as unknown as Uint8Array, sign(bodyOf()), SECRET)).toEqual(eventOf());
  });

  it('throws a coded error for a forged, unreadable or parsed body', () => {
    const now = () => 1_709_280_000_000;
    const construct = (body: Uint8Array | string, options = {}, signature: string | undefined = sign(body)) =>
      codeOf(() => constructWebhookEvent(body, signature, SECRET, { now, ...options }));
    expect(construct(bodyOf(), {}, sign('x'))).toBe('signature_mismatch');
    expect(codeOf(() => constructWebhookEvent(bodyOf(), undefined, SECRET))).toBe('missing_signature');
    expect(codeOf(() => constructWebhookEvent(bodyOf(), [], SECRET))).toBe('missing_signature');
    expect(construct(bodyOf(), {}, 'x')).toBe('malformed_signature');
    expect(codeOf(() => constructWebhookEvent({} as unknown as string, sign(''), SECRET))).toBe('body_already_parsed');
    expect(codeOf(() => constructWebhookEvent(bodyOf(), sign(bodyOf()), ''))).toMatch(/^TypeError: Webhook secret/);
    expect(construct('[]')).toBe('invalid_envelope');
    expect(construct(bodyOf({ created: 1_709_279_989 }), { maxAgeSeconds: 10 })).toBe('too_old');
    expect(construct(bodyOf({ created: 1_709_280_011 }), { maxAgeSeconds: 10, futureSkewSeconds: 10 })).toBe('too_new');
    expect(construct(bodyOf({ data: {} }))).toBe('event');
    expect(construct(bodyOf({ data: {} }), { validation: 'reject' })).toBe('invalid_data');
    expect(construct(bodyOf({ type: 'new.type', data: {} }), { validation: 'reject' })).toBe('event');
  });
});

describe('WebhookError', () => {
  it('is recognized across copies of the package, by its brand and code', () => {
    const foreign = Object.assign(Object.create({ [Symbol.for('pathfinder.webhooks.WebhookError')]: true }), {
      code: 'too_old',
    });
    expect([isWebhookError(foreign), isWebhookError(foreign, 'too_old'), isWebhookError(foreign, 'too_new')]).toEqual([
      true,
      true,
      false,
    ]);
    for (const other of [undefined, null, 'text', {}, new Error('no')]) expect(isWebhookError(other)).toBe(false);
    const lost = new LeaseLostError();
    expect([lost.name, lost.code, lost.status, isWebhookError(lost)]).toEqual([
      'LeaseLostError',
      'lease_lost',
      503,
      true,
    ]);
  });

  it('has no sensitive property, and a message with a cure', () => {
    const error = new WebhookError('too_old', { detail: 'Detail.', cause: 1 });
    expect(Object.keys(error).sort()).toEqual(['code', 'name', 'status']);
    expect(error.message).toMatch(/^The event was created .* Detail\. See https:.*docs\/errors\.md#too_old$/);
    expect(error.cause).toBe(1);
    expect('cause' in new WebhookError('too_old')).toBe(false);
  });
});
