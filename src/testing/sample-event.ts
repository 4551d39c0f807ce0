import { randomUUID } from 'node:crypto';
import {
  isWebhookEventType,
  nearestEventType,
  WEBHOOK_EVENT_TYPES,
  type WebhookEvent,
  type WebhookEventType,
} from '../events/index.ts';
import { SAMPLE_DATA, SAMPLE_PREVIOUS_ATTRIBUTES } from './sample-data.ts';

/** `T` with every member optional, all the way down. Arrays are replaced whole, so their items stay as they are. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> | undefined }
    : T;

/** What to change in a sample of type `T`. A member that is `undefined` is removed from the sample. */
export type SampleOverrides<T extends WebhookEventType> = DeepPartial<Omit<WebhookEvent<T>, 'type'>>;

/** Where a sample takes its id and its time from. */
export interface SampleEventOptions {
  /** Makes the id. Default: `evt_test_` and 32 random hex digits, so that no two samples are duplicates of each other. */
  readonly nextId?: (() => string) | undefined;
  /** Milliseconds since 1970; the sample's `created` is this in whole seconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/**
 * An event as Pathfinder might send it: realistic, valid by its schema, with `previous_attributes` on `*.updated`. Only
 * `id` (`evt_test_…`, unique) and `created` (now) differ from one call to the next; give them to have the same event
 * each time. Nothing is shared between two samples.
 *
 * @param type - One of the nineteen names.
 * @param overrides - Merged over the sample, objects member by member, arrays whole; `undefined` removes a member. The
 *   outcome is not validated, so that tests can make bad events too.
 * @throws TypeError for a name that is not one of the nineteen, with the nearest one.
 *
 * @example
 * ```ts
 * const event = sampleEvent('user.created', { data: { user: { email: 'grace@example.com' } } });
 * ```
 */
export function sampleEvent<T extends WebhookEventType>(
  type: T,
  overrides?: SampleOverrides<T>,
  options: SampleEventOptions = {},
): WebhookEvent<T> {
  if (!isWebhookEventType(type)) throw new TypeError(unknownType(type));
  const { nextId = testEventId, now = Date.now } = options;
  const previousAttributes = SAMPLE_PREVIOUS_ATTRIBUTES[type];
  const sample = {
    id: overrides?.id ?? nextId(),
    type,
    api_version: '1.0',
    created: Math.floor(now() / 1000),
    data: SAMPLE_DATA[type],
    ...(previousAttributes && { previous_attributes: previousAttributes }),
  };
  return mergeDeep(sample, { ...overrides, type }) as WebhookEvent<T>;
}

/** A new id that tells a test event from a real one. @internal */
export function testEventId(): string {
  return `evt_test_${randomUUID().replaceAll('-', '')}`;
}

/** `changes` over `base`, as a copy that shares no object with either. @internal */
export function mergeDeep(base: unknown, changes: unknown): unknown {
  if (!isPlainObject(changes)) return structuredClone(changes);
  const merged = new Map(Object.entries(isPlainObject(base) ? base : {}));
  for (const key of merged.keys()) if (!Object.hasOwn(changes, key)) merged.set(key, structuredClone(merged.get(key)));
  for (const [key, change] of Object.entries(changes)) {
    if (change === undefined) merged.delete(key);
    else merged.set(key, mergeDeep(merged.get(key), change));
  }
  // Not by assignment: a key `__proto__` would set the prototype.
  return Object.fromEntries(merged);
}

/** Why a name is refused, with the one that was probably meant. @internal */
export function unknownType(type: unknown, cure = 'pass a whole event'): string {
  const nearest = typeof type === 'string' ? nearestEventType(type, WEBHOOK_EVENT_TYPES) : undefined;
  const known = nearest ? `Did you mean ${nearest}?` : `Known are: ${WEBHOOK_EVENT_TYPES.join(', ')}.`;
  return `There is no sample of ${JSON.stringify(String(type).slice(0, 128))}. ${known} For a type of your own, ${cure}.`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
