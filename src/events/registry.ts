import type * as z from 'zod';
import { type AdminEventData, adminEvents } from './admin.ts';
import { type AuthEventData, authEvents } from './auth.ts';
import type { EventDefinition } from './definition.ts';
import type { UnknownWebhookEvent, WebhookEventEnvelope } from './envelope.ts';
import { type Experience, type ExperienceEventData, experienceEvents } from './experience.ts';
import { type ResumeEventData, resumeEvents } from './resume.ts';
import { type User, type UserEventData, userEvents } from './user.ts';

/** What `data` holds, by event type. */
export interface WebhookEventData
  extends UserEventData,
    AuthEventData,
    ExperienceEventData,
    ResumeEventData,
    AdminEventData {}

/** The name of an event that this version knows. */
export type WebhookEventType = keyof WebhookEventData;

const definitions = /* @__PURE__ */ collectDefinitions();

type Definitions = typeof definitions;

/** The names of all events that this version knows, in the order of Pathfinder's documentation. */
export const WEBHOOK_EVENT_TYPES = /* @__PURE__ */ Object.keys(definitions) as readonly WebhookEventType[];

/** What `previous_attributes` holds, for the event types that have it. */
export type WebhookEventPreviousAttributes = {
  readonly [T in keyof Definitions as Definitions[T] extends HasPrevious
    ? T
    : never]: Definitions[T] extends HasPrevious
    ? Partial<PreviousObject<Definitions[T]['previousAttributes']>>
    : never;
};

type HasPrevious = Required<Pick<EventDefinition, 'previousAttributes'>>;

// An object that a definition names and that is missing here does not compile.
type PreviousObject<Name extends HasPrevious['previousAttributes']> = {
  readonly User: User;
  readonly Experience: Experience;
}[Name];

/** What `previous_attributes` holds on an event of type `T`, known or not. */
export type PreviousAttributesOf<T extends string> = T extends keyof WebhookEventPreviousAttributes
  ? WebhookEventPreviousAttributes[T]
  : Record<string, unknown>;

/**
 * An event that this version knows: a union with one member for each name, told apart by `type`.
 *
 * @example
 * ```ts
 * function welcome(event: WebhookEvent<'user.created'>) {
 *   return `Hello ${event.data.user.username}`;
 * }
 * ```
 */
export type WebhookEvent<T extends WebhookEventType = WebhookEventType> = T extends WebhookEventType
  ? WebhookEventEnvelope<T, WebhookEventData[T], PreviousAttributesOf<T>>
  : never;

/** An event as received: of a known type, or of one that is newer than this package. See {@link isWebhookEvent}. */
export type ReceivedWebhookEvent = WebhookEvent | UnknownWebhookEvent;

/** What this package knows about each event type, for a page about the events. */
export const webhookEventDefinitions: {
  readonly [T in WebhookEventType]: EventDefinition<WebhookEventData[T]>;
} = definitions;

/** The type of {@link webhookEventSchemas}: a zod object for each name, with `extend`, `pick` and the like. */
export type WebhookEventSchemas = {
  readonly [T in WebhookEventType]: ReturnType<Definitions[T]['schema']>;
};

/**
 * The zod schema of each event's `data`. A schema is built when it is first read, and kept. All of them are loose:
 * unknown fields pass and are kept, and nothing is converted.
 *
 * @example
 * ```ts
 * const events = { 'user.created': webhookEventSchemas['user.created'].extend({ plan: z.string() }) };
 * const webhooks = new WebhookHandler({ secret, events });
 * ```
 */
export const webhookEventSchemas: WebhookEventSchemas = /* @__PURE__ */ lazySchemas();

/** Whether this version knows events of this name. */
export function isWebhookEventType(type: string): type is WebhookEventType {
  return knownTypes.has(type);
}

/** The members of the union `Event` that are of type `T`; for an event of no particular type, what it then must be. */
export type EventOfType<Event, T extends WebhookEventType> = [Extract<Event, { readonly type: T }>] extends [never]
  ? Event & WebhookEvent<T>
  : Extract<Event, { readonly type: T }>;

/** An event of any type, for parameters. */
export type AnyWebhookEvent = WebhookEventEnvelope<string, unknown, unknown>;

/** Whether an event is of the known type `type`. Narrows it. */
export function isWebhookEvent<Event extends AnyWebhookEvent, T extends WebhookEventType>(
  event: Event,
  type: T,
): event is EventOfType<Event, T>;
/**
 * Whether an event is of a type that this version knows. Narrows it, after which a `switch` over `event.type` works:
 * before, `type` may be any string.
 *
 * @example
 * ```ts
 * if (!isWebhookEvent(event)) return;
 * switch (event.type) {
 *   case 'user.created':
 *     return welcome(event.data.user.email);
 * }
 * ```
 */
export function isWebhookEvent<Event extends AnyWebhookEvent>(
  event: Event,
): event is EventOfType<Event, WebhookEventType>;
export function isWebhookEvent(event: AnyWebhookEvent, type?: unknown): boolean {
  // `events.filter(isWebhookEvent)` passes an index, which is no name.
  return knownTypes.has(event.type) && (typeof type !== 'string' || event.type === type);
}

const knownTypes: ReadonlySet<string> = /* @__PURE__ */ new Set(WEBHOOK_EVENT_TYPES);

function collectDefinitions() {
  return {
    ...userEvents,
    ...authEvents,
    ...experienceEvents,
    ...resumeEvents,
    ...adminEvents,
  } satisfies { readonly [T in WebhookEventType]: EventDefinition<WebhookEventData[T]> };
}

function lazySchemas(): WebhookEventSchemas {
  // No prototype: `schemas['constructor']` is as absent as any other name that is none.
  const schemas: WebhookEventSchemas = Object.create(null);
  for (const type of WEBHOOK_EVENT_TYPES) {
    let schema: z.ZodType | undefined;
    const get = (): z.ZodType => {
      schema ??= definitions[type].schema();
      return schema;
    };
    Object.defineProperty(schemas, type, { enumerable: true, get });
  }
  return Object.freeze(schemas);
}
