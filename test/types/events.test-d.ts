import { expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import {
  type AnyWebhookEvent,
  type Competency,
  type CreatedUser,
  type EventFor,
  type EventMap,
  type EventName,
  type EventPattern,
  type EventSchemas,
  type Experience,
  type InferSchemaOutput,
  isWebhookEvent,
  isWebhookEventType,
  type ReceivedWebhookEvent,
  type StandardSchemaV1,
  type UnknownWebhookEvent,
  type User,
  WEBHOOK_EVENT_TYPES,
  type WebhookEvent,
  type WebhookEventData,
  type WebhookEventEnvelope,
  type WebhookEventType,
  type webhookEventDefinitions,
  webhookEventSchemas,
} from '../../src/events/index.ts';

/** Stands for `WebhookHandler`, whose `on` takes these types. */
declare class Receiver<const E extends EventSchemas = Record<never, never>> {
  constructor(options?: { readonly events?: E });
  on<const P extends EventPattern<E> | readonly EventPattern<E>[]>(
    pattern: P,
    handler: (event: EventFor<P, E>) => unknown,
  ): this;
}

declare const received: ReceivedWebhookEvent;
declare const receiver: Receiver;

interface Merged {
  readonly kept: string;
  readonly dropped: string;
}
declare const mergedSchema: StandardSchemaV1<unknown, Merged>;
const invoiceSchema = z.object({
  total: z.string().transform(Number),
  due: z.string().transform((due) => new Date(due)),
});
const ownEvents = { 'user.merged': mergedSchema, 'billing.invoice.paid': invoiceSchema } as const;
type Own = typeof ownEvents;
type Invoice = { total: number; due: Date };

test('there is a name for each of the nineteen events', () => {
  expectTypeOf<WebhookEventType>().toEqualTypeOf<keyof WebhookEventData>();
  expectTypeOf<WebhookEventType>().toEqualTypeOf<keyof typeof webhookEventDefinitions>();
  expectTypeOf<WebhookEventType>().toEqualTypeOf<keyof typeof webhookEventSchemas>();
  expectTypeOf(WEBHOOK_EVENT_TYPES).toEqualTypeOf<readonly WebhookEventType[]>();
});

test('the union has exactly one member for each name', () => {
  expectTypeOf<WebhookEvent['type']>().toEqualTypeOf<WebhookEventType>();
  type MembersByName = { [T in WebhookEventType]: Extract<WebhookEvent, { type: T }> };
  expectTypeOf<MembersByName>().toEqualTypeOf<{ [T in WebhookEventType]: WebhookEvent<T> }>();
  // A name whose member were itself a union would be caught here.
  type IsUnion<T, Whole = T> = T extends Whole ? ([Whole] extends [T] ? false : true) : never;
  expectTypeOf<{ [T in WebhookEventType]: IsUnion<WebhookEvent<T>> }[WebhookEventType]>().toEqualTypeOf<false>();
});

test('an event has the envelope and the data of its name', () => {
  expectTypeOf<WebhookEvent<'user.created'>>().toEqualTypeOf<
    WebhookEventEnvelope<'user.created', { readonly user: CreatedUser }>
  >();
  expectTypeOf<WebhookEvent<'user.created'>>().toEqualTypeOf<Extract<WebhookEvent, { type: 'user.created' }>>();
  expectTypeOf<WebhookEvent<'user.created'>['data']['user']['email']>().toEqualTypeOf<string>();
  expectTypeOf<WebhookEvent<'user.updated'>['data']['user']['email']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<WebhookEvent<'experience.created'>['data']['experience']['end_date']>().toEqualTypeOf<
    string | null | undefined
  >();
  expectTypeOf<WebhookEvent<'experience.analyzed'>['data']['analysis']['competencies']>().toEqualTypeOf<
    readonly Competency[]
  >();
  expectTypeOf<WebhookEvent['id' | 'api_version']>().toEqualTypeOf<string>();
  expectTypeOf<WebhookEvent['created']>().toEqualTypeOf<number>();
});

test('previous attributes are partial objects on updates and anything elsewhere', () => {
  expectTypeOf<WebhookEvent<'user.updated'>['previous_attributes']>().toEqualTypeOf<Partial<User> | undefined>();
  expectTypeOf<WebhookEvent<'experience.updated'>['previous_attributes']>().toEqualTypeOf<
    Partial<Experience> | undefined
  >();
  type Others = Exclude<WebhookEventType, 'user.updated' | 'experience.updated'>;
  expectTypeOf<WebhookEvent<Others>['previous_attributes']>().toEqualTypeOf<Record<string, unknown> | undefined>();
  expectTypeOf<UnknownWebhookEvent['previous_attributes']>().toEqualTypeOf<Record<string, unknown> | undefined>();
});

test('events are read-only, and a misspelt field does not compile', () => {
  function check(event: WebhookEvent<'user.created'>) {
    // @ts-expect-error read-only
    event.data.user.email = '';
    // @ts-expect-error read-only
    event.type = 'user.created';
    // @ts-expect-error no such field
    return event.data.user.emial;
  }
  expectTypeOf(check).toBeFunction();
});

test('a misspelt name does not compile', () => {
  // @ts-expect-error no such event
  type Misspelt = WebhookEvent<'user.create'>;
  expectTypeOf<Misspelt>().not.toBeAny();
  // @ts-expect-error no such event
  receiver.on('user.create', () => undefined);
  // @ts-expect-error no such prefix
  receiver.on('users.*', () => undefined);
  // @ts-expect-error a prefix ends at a dot
  receiver.on('us*', () => undefined);
  // @ts-expect-error no such event among those that are
  receiver.on(['user.created', 'user.create'], () => undefined);
  // @ts-expect-error no such event
  isWebhookEvent(received, 'user.create');
  // @ts-expect-error no such event
  webhookEventSchemas['user.create'];
});

test('isWebhookEvent narrows to the known events, after which a switch works', () => {
  function check(event: ReceivedWebhookEvent) {
    if (!isWebhookEvent(event)) {
      expectTypeOf(event).toEqualTypeOf<UnknownWebhookEvent>();
      return;
    }
    expectTypeOf(event).toEqualTypeOf<WebhookEvent>();
    switch (event.type) {
      case 'user.created':
        expectTypeOf(event).toEqualTypeOf<WebhookEvent<'user.created'>>();
        return;
      case 'auth.failed_attempts':
        expectTypeOf(event.data.count).toEqualTypeOf<number>();
        return;
      default:
        expectTypeOf(event.type).toEqualTypeOf<Exclude<WebhookEventType, 'user.created' | 'auth.failed_attempts'>>();
    }
  }
  expectTypeOf(check).toBeFunction();
});

test('isWebhookEvent narrows by name', () => {
  if (isWebhookEvent(received, 'user.created')) {
    expectTypeOf(received).toEqualTypeOf<WebhookEvent<'user.created'>>();
  } else {
    expectTypeOf(received).toEqualTypeOf<
      WebhookEvent<Exclude<WebhookEventType, 'user.created'>> | UnknownWebhookEvent
    >();
  }
  expectTypeOf([received].filter((event) => isWebhookEvent(event))).toEqualTypeOf<WebhookEvent[]>();
});

test('isWebhookEvent narrows an event of no particular type', () => {
  function check(event: UnknownWebhookEvent, any: AnyWebhookEvent) {
    if (isWebhookEvent(event, 'user.created')) expectTypeOf(event.data.user).toExtend<CreatedUser>();
    if (isWebhookEvent(any)) expectTypeOf(any.type).toEqualTypeOf<WebhookEventType>();
  }
  expectTypeOf(check).toBeFunction();
});

test('isWebhookEvent keeps the data that a schema of the integrator puts in place', () => {
  type Events = { readonly 'user.created': StandardSchemaV1<unknown, Merged> };
  function check(event: EventFor<'*', Events>) {
    if (!isWebhookEvent(event, 'user.created')) return;
    expectTypeOf(event.data).toEqualTypeOf<Merged>();
  }
  expectTypeOf(check).toBeFunction();
});

test('isWebhookEventType narrows a string', () => {
  const type: string = received.type;
  if (isWebhookEventType(type)) expectTypeOf(type).toEqualTypeOf<WebhookEventType>();
});

test('a pattern delivers the events it matches', () => {
  type UserEventType = 'user.created' | 'user.updated' | 'user.deleted' | 'user.suspended' | 'user.activated';
  receiver
    .on('user.created', (event) => expectTypeOf(event).toEqualTypeOf<WebhookEvent<'user.created'>>())
    .on('user.*', (event) => expectTypeOf(event).toEqualTypeOf<WebhookEvent<UserEventType>>())
    .on('*', (event) => expectTypeOf(event).toEqualTypeOf<ReceivedWebhookEvent>())
    .on(['auth.login', 'resume.*'], (event) =>
      expectTypeOf(event).toEqualTypeOf<WebhookEvent<'auth.login' | 'resume.generated' | 'resume.downloaded'>>(),
    )
    .on(['user.deleted', '*'], (event) => expectTypeOf(event).toEqualTypeOf<ReceivedWebhookEvent>())
    .on('user.*', (event) => {
      if (event.type === 'user.deleted') expectTypeOf(event.data.user_id).toEqualTypeOf<string>();
    });
  expectTypeOf<EventPattern>().toEqualTypeOf<
    WebhookEventType | 'user.*' | 'auth.*' | 'experience.*' | 'resume.*' | 'admin.*' | '*'
  >();
  expectTypeOf<EventFor<WebhookEventType>>().toEqualTypeOf<WebhookEvent>();
  expectTypeOf<EventMap>().toEqualTypeOf<{ readonly [T in WebhookEventType]: WebhookEvent<T> }>();
});

test('own events are delivered beside the built-in ones, with what their schemas put out', () => {
  type OwnEvent = WebhookEventEnvelope<'user.merged', Merged> | WebhookEventEnvelope<'billing.invoice.paid', Invoice>;
  new Receiver({ events: ownEvents })
    .on('user.merged', (event) => expectTypeOf(event.data).toEqualTypeOf<Merged>())
    .on('billing.invoice.paid', (event) => expectTypeOf(event.data).toEqualTypeOf<Invoice>())
    .on('billing.*', (event) => expectTypeOf(event.data).toEqualTypeOf<Invoice>())
    .on('billing.invoice.*', (event) => expectTypeOf(event.data).toEqualTypeOf<Invoice>())
    .on('user.created', (event) => expectTypeOf(event).toEqualTypeOf<WebhookEvent<'user.created'>>())
    .on('*', (event) => expectTypeOf(event).toEqualTypeOf<ReceivedWebhookEvent | OwnEvent>())
    .on(['user.merged', 'auth.logout'], (event) =>
      expectTypeOf(event.type).toEqualTypeOf<'user.merged' | 'auth.logout'>(),
    )
    // @ts-expect-error no such event
    .on('billing.invoice.payed', () => undefined);
  expectTypeOf<EventFor<'user.*', Own>['type']>().toEqualTypeOf<EventFor<'user.*'>['type'] | 'user.merged'>();
  expectTypeOf<EventName<Own>>().toEqualTypeOf<WebhookEventType | 'user.merged' | 'billing.invoice.paid'>();
});

test('a schema of the integrator takes the place of a built-in one', () => {
  const events = {
    'user.created': webhookEventSchemas['user.created'].extend({ plan: z.enum(['free', 'paid']) }),
    'user.updated': z.object({ user: z.object({ id: z.string() }) }).transform(({ user }) => user.id),
  };
  new Receiver({ events })
    .on('user.created', ({ data }) => {
      expectTypeOf(data.plan).toEqualTypeOf<'free' | 'paid'>();
      expectTypeOf(data.user.email).toEqualTypeOf<string>();
    })
    .on('user.updated', (event) =>
      expectTypeOf(event).toEqualTypeOf<WebhookEventEnvelope<'user.updated', string, Partial<User>>>(),
    );
});

test('schemas known only at run time give events of any name and unknown data', () => {
  const events: EventSchemas = ownEvents;
  new Receiver({ events })
    .on('any.name', (event) => expectTypeOf(event.data).toBeUnknown())
    .on('any.*', (event) => expectTypeOf(event.data).toBeUnknown());
});

test('a schema written by hand needs no types to be accepted', () => {
  const schema = { '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) } } as const;
  new Receiver({ events: { 'own.event': schema } }).on('own.event', (event) => expectTypeOf(event.data).toBeUnknown());
  expectTypeOf<InferSchemaOutput<typeof invoiceSchema>>().toEqualTypeOf<Invoice>();
  // @ts-expect-error not a schema
  new Receiver({ events: { 'own.event': { parse: () => undefined } } });
});

/** As declared, without what makes a zod type loose, and writable. */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? string extends keyof T
      ? KnownKeys<T> extends Record<string, never>
        ? T
        : { -readonly [K in keyof KnownKeys<T>]: Plain<KnownKeys<T>[K]> }
      : { -readonly [K in keyof T]: Plain<T[K]> }
    : T;
type KnownKeys<T> = { [K in keyof T as string extends K ? never : K]: T[K] };

test('the interfaces say what the schemas say', () => {
  type Inferred = { [T in WebhookEventType]: Plain<z.infer<(typeof webhookEventSchemas)[T]>> };
  type Declared = { [T in WebhookEventType]: Plain<WebhookEventData[T]> };
  expectTypeOf<Inferred>().toEqualTypeOf<Declared>();
});
