import { setTimeout as delay } from 'node:timers/promises';
import { type ReceivedWebhookEvent, type StandardSchemaV1, WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readEvent, type Validated, validateBuiltIn } from '../../src/validate.ts';
import { answered, bodyOf, eventOf, refused } from '../support/deliver.ts';
import { plainAsker, receiverWith } from '../support/receiver.ts';

function event(overrides = {}): ReceivedWebhookEvent {
  return eventOf(overrides) as unknown as ReceivedWebhookEvent;
}

function schema(validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

const drift = (detail: string) => new WebhookError('invalid_data', { detail });

describe('built-in schemas', () => {
  it('change nothing and accept unknown fields and types', () => {
    const received = event({ data: { user: { id: 'u', username: 'a', email: 'b', plan: 'free' }, more: 1 } });
    const read = readEvent(received, bodyOf(), undefined, plainAsker()) as Validated;
    expect([read.event.forRun(), read.drift]).toEqual([received, undefined]);
    expect(validateBuiltIn(event({ type: 'brand.new', data: { anything: 1 } }))).toBeUndefined();
    expect(validateBuiltIn(event({ type: 'constructor', data: {} }))).toBeUndefined();
  });

  it('report at most five paths that depart, and no values', () => {
    expect(validateBuiltIn(event({ data: {} }))).toEqual(drift('At data.user.'));
    const competencies = Array.from({ length: 4 }, () => ({ area: 1, level: 2, score: 'canary' }));
    const analyzed = event({
      type: 'experience.analyzed',
      data: { experience_id: 'e', analysis: { competencies, recommendations: [] } },
    });
    const path = 'data.analysis.competencies';
    expect(validateBuiltIn(analyzed)).toEqual(
      drift(`At ${path}.0.area, ${path}.0.level, ${path}.0.score, ${path}.1.area, ${path}.1.level and 7 more.`),
    );
  });
});

describe('custom schemas', () => {
  it('can come from any library and return any output', async () => {
    const { webhooks, receive } = receiverWith({
      events: {
        'user.created': z.object({ user: z.object({ id: z.string().transform((id) => id.toUpperCase()) }) }),
        'billing.paid': schema((value) => ({ value: Number((value as { amount: string }).amount) })),
        'slow.one': schema(async (value) => delay(1, { value: [value] })),
      },
    });
    const seen: unknown[] = [];
    webhooks.on('*', ({ type, data }) => void seen.push([type, data]));
    await receive();
    await receive({ id: '2', type: 'billing.paid', data: { amount: '5' } });
    await receive({ id: '3', type: 'slow.one', data: { a: 1 } });
    await receive({ id: '4', type: 'toString', data: { a: 1 } });
    expect(seen).toEqual([
      ['user.created', { user: { id: 'USER_1' } }],
      ['billing.paid', 5],
      ['slow.one', [{ a: 1 }]],
      ['toString', { a: 1 }],
    ]);
  });

  it.each<[string, StandardSchemaV1['~standard']['validate'], string]>([
    ['issues', () => ({ issues: [{ message: 'canary' }] }), 'At data.'],
    [
      'paths of objects',
      () => ({ issues: [{ message: 'canary', path: [{ key: 'a' }, 0, Symbol('s')] }] }),
      'At data.a.0.?.',
    ],
    [
      'odd keys',
      () => ({ issues: [{ message: 'x', path: ['a b', 'x'.repeat(65), '\u001b', 'ok-1'] }] }),
      'At data.?.?.?.ok-1.',
    ],
    [
      'a throw',
      () => {
        throw new Error('canary');
      },
      'Its schema threw.',
    ],
    ['a rejection', () => Promise.reject(new Error('canary')), 'Its schema threw.'],
    ['nothing', () => undefined as never, 'Its schema threw.'],
  ])('that answer with %s count as drift', async (_, validate, detail) => {
    const read = await readEvent(event(), bodyOf(), { 'user.created': schema(validate) }, plainAsker());
    expect(read.event.forRun()).toEqual(event());
    expect(read.drift?.message).toBe(drift(detail).message);
    for (const validation of ['report', 'reject'] as const) {
      const { webhooks, errors, receive } = receiverWith({ validation, events: { 'user.created': schema(validate) } });
      webhooks.on('*', () => undefined);
      expect(await receive()).toEqual(
        validation === 'report' ? answered('processed', 1) : refused(422, 'invalid_data'),
      );
      expect(errors.map((error) => (error as Error).message)).toEqual([drift(detail).message]);
    }
  });
});
