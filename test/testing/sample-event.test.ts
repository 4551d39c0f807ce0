import {
  WEBHOOK_EVENT_TYPES,
  WebhookHandler,
  webhookEventDefinitions,
  webhookEventSchemas,
} from '@pathfinder/webhooks';
import { type SampleOverrides, sampleEvent } from '@pathfinder/webhooks/testing';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { SECRET, sign } from '../support/deliver.ts';

describe.each(WEBHOOK_EVENT_TYPES)('the sample of %s', (type) => {
  it('fits its schema and is handled without a warning', async () => {
    const event = sampleEvent(type);
    expect(webhookEventSchemas[type].safeParse(event.data)).toMatchObject({ success: true });
    const told: unknown[] = [];
    const onError = (error: unknown) => told.push(error);
    const webhooks = new WebhookHandler({ secret: SECRET, validation: 'reject', maxAgeSeconds: 60, onError });
    webhooks.on(type, () => {});
    const body = JSON.stringify(event);
    expect({ ...(await webhooks.handle(body, sign(body))) }).toEqual({
      status: 'processed',
      processed: 1,
      failed: 0,
    });
    expect(told).toEqual([]);
  });

  it('has previous_attributes only for updates, different from the current values', () => {
    const { data, previous_attributes: before } = sampleEvent(type);
    expect(before !== undefined).toBe(webhookEventDefinitions[type].previousAttributes !== undefined);
    const now = Object.values(data)[0] as Record<string, unknown>;
    for (const [name, value] of Object.entries(before ?? {})) expect(now[name]).not.toEqual(value);
  });

  it('does not fit without its first required field', () => {
    const [first = ''] = Object.keys(sampleEvent(type).data);
    const broken = sampleEvent(type, { data: { [first]: undefined } } as SampleOverrides<typeof type>);
    expect(webhookEventSchemas[type].safeParse(broken.data).success).toBe(false);
  });
});

describe('sampleEvent', () => {
  it('is stable except for a unique evt_test_ id and the time', () => {
    const [one, other] = [sampleEvent('user.created'), sampleEvent('user.created')];
    expect(one.id).toMatch(/^evt_test_[0-9a-f]{32}$/);
    expect(one.id).not.toBe(other.id);
    expect(Math.abs(one.created - Date.now() / 1000)).toBeLessThan(5);
    expect({ ...one, id: '', created: 0 }).toEqual({ ...other, id: '', created: 0 });
    const fixed = { id: 'evt_test_1', created: 1_709_280_000 };
    expect(sampleEvent('user.created', fixed)).toEqual(sampleEvent('user.created', fixed));
  });

  it('takes its id and time from the options', () => {
    const event = sampleEvent('auth.logout', {}, { nextId: () => 'evt_test_7', now: () => 1_709_280_000_999 });
    expect(event).toEqual({
      id: 'evt_test_7',
      type: 'auth.logout',
      api_version: '1.0',
      created: 1_709_280_000,
      data: { session_id: 'sess_test_77' },
    });
  });

  it('merges objects deeply, replaces arrays and removes undefined members', () => {
    const event = sampleEvent('user.updated', {
      id: 'evt_test_2',
      api_version: '2.0',
      created: 5,
      data: { user: { email: 'grace@example.com', roles: [], last_name: undefined } },
      previous_attributes: undefined,
    });
    expect(event).toEqual({
      id: 'evt_test_2',
      type: 'user.updated',
      api_version: '2.0',
      created: 5,
      data: {
        user: {
          id: 'user_test_1815',
          username: 'ada_lovelace',
          email: 'grace@example.com',
          first_name: 'Ada',
          roles: [],
          created_at: '2024-03-01T10:00:00Z',
          updated_at: '2024-03-02T08:30:00Z',
        },
      },
    });
    expect(Object.hasOwn(event, 'previous_attributes')).toBe(false);
    expect(Object.hasOwn(event.data.user, 'last_name')).toBe(false);
  });

  it('shares no object with another sample or its overrides', () => {
    const overrides = { data: { user: { roles: ['admin'] } } };
    const event = sampleEvent('user.created', overrides);
    (event.data.user.roles as string[]).push('changed');
    (event.data.user as { username: string }).username = 'changed';
    expect(overrides.data.user.roles).toEqual(['admin']);
    expect(sampleEvent('user.created').data.user.username).toBe('ada_lovelace');
  });

  it('does not pollute Object.prototype', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const data = JSON.parse(`{"__proto__":{"polluted":1},"user":${json}}`);
        const event = sampleEvent('user.created', { data });
        expect(JSON.parse(JSON.stringify(event.data)).user).toEqual(
          typeof data.user === 'object' && data.user !== null && !Array.isArray(data.user)
            ? expect.objectContaining(data.user)
            : data.user,
        );
        expect(({} as { polluted?: number }).polluted).toBeUndefined();
        expect(Object.getPrototypeOf(event.data)).toBe(Object.prototype);
      }),
    );
  });

  it('rejects an unknown name and suggests the nearest', () => {
    const make = (type: string) => () => sampleEvent(type as 'user.created');
    expect(make('user.craeted')).toThrow(
      new TypeError(
        'There is no sample of "user.craeted". Did you mean user.created? For a type of your own, pass a whole event.',
      ),
    );
    expect(make('__proto__')).toThrow(/Known are: user\.created, /);
  });

  it('is typed by the name of the event', () => {
    const { email } = sampleEvent('user.created').data.user;
    expectTypeOf(email).toEqualTypeOf<string>();
    expect(email).toBeTypeOf('string');
    // @ts-expect-error a user has no such field
    sampleEvent('user.created', { data: { user: { emial: 'x' } } });
    // @ts-expect-error a session event has no user
    sampleEvent('auth.logout', { data: { user: {} } });
  });
});
