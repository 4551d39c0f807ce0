import type { UnknownWebhookEvent, WebhookEventEnvelope } from './envelope.ts';
import {
  type PreviousAttributesOf,
  type ReceivedWebhookEvent,
  WEBHOOK_EVENT_TYPES,
  type WebhookEvent,
  type WebhookEventType,
} from './registry.ts';
import type { InferSchemaOutput, StandardSchemaV1 } from './standard-schema.ts';

/** Your own schemas for `data`, by event type: for types that this version does not know, or in place of a built-in one. */
export interface EventSchemas {
  readonly [type: string]: StandardSchemaV1;
}

/** No schemas of your own. */
export type NoEventSchemas = Record<never, never>;

/** The known names: the built-in ones and those of `E`. */
export type EventName<E extends EventSchemas = NoEventSchemas> = WebhookEventType | Extract<keyof E, string>;

/** The known events by name: the built-in ones, and those of `E`, whose `data` is what the schema puts out. */
export type EventMap<E extends EventSchemas = NoEventSchemas> = {
  readonly [K in EventName<E>]: K extends keyof E
    ? WebhookEventEnvelope<K, InferSchemaOutput<E[K]>, PreviousAttributesOf<K>>
    : K extends WebhookEventType
      ? WebhookEvent<K>
      : never;
};

/** What `on` takes: a known name, all known names below a prefix (`'user.*'`), or every event (`'*'`). */
export type EventPattern<E extends EventSchemas = NoEventSchemas> =
  | EventName<E>
  | `${DottedPrefix<EventName<E>>}.*`
  | '*';

/** The events that a pattern, or an array of patterns, delivers. */
export type EventFor<
  P extends string | readonly string[],
  E extends EventSchemas = NoEventSchemas,
> = P extends readonly (infer Pattern extends string)[]
  ? EventFor<Pattern, E>
  : P extends '*'
    ? [keyof E] extends [never]
      ? ReceivedWebhookEvent
      : EventMap<E>[EventName<E>] | UnknownWebhookEvent
    : P extends EventName<E>
      ? EventMap<E>[P]
      : P extends `${infer Prefix}.*`
        ? EventMap<E>[Extract<EventName<E>, `${Prefix}.${string}`>]
        : never;

/** What stands before each dot of a name: of `a.b.c`, `a` and `a.b`. */
export type DottedPrefix<T extends string> = T extends `${infer Head}.${infer Rest}`
  ? Head | `${Head}.${DottedPrefix<Rest>}`
  : never;

/**
 * Whether `pattern` delivers events of `type`. Below a prefix only known types match, so that a type newer than this
 * package never reaches code that was compiled without it; `'*'` and an exact name match unknown types too.
 *
 * @param isKnown - whether `type` is built in or has a schema of the integrator's
 */
export function matchesPattern(pattern: string, type: string, isKnown: boolean): boolean {
  if (pattern === '*') return true;
  if (!pattern.endsWith('.*')) return pattern === type;
  return isKnown && type.startsWith(pattern.slice(0, -1));
}

/** The known names that `patterns` deliver, each once: the built-in ones in their order, then `ownTypes` in theirs. */
export function expandPatterns(patterns: Iterable<string>, ownTypes: Iterable<string> = []): readonly string[] {
  const wanted = [...patterns];
  const known = new Set<string>([...WEBHOOK_EVENT_TYPES, ...ownTypes]);
  return [...known].filter((type) => wanted.some((pattern) => matchesPattern(pattern, type, true)));
}
