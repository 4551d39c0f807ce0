import { type AnyWebhookEvent, isWebhookEventType, WEBHOOK_EVENT_TYPES, webhookEventSchemas } from '../../index.ts';
import { nearestName } from '../../shared/nearest.ts';
import { sampleEvent } from '../../testing/index.ts';
import { usage } from './failure.ts';
import { readInput } from './files.ts';
import { parseJson } from './json.ts';
import { plain } from './plain.ts';
import type { Terminal } from './terminal.ts';

const ENVELOPE = ['id', 'api_version', 'created', 'data', 'previous_attributes'];
const UNSAFE = new Set(['__proto__', 'constructor', 'prototype']);

type JsonObject = Record<string, unknown>;

/** @throws CliError for a name that is not one of the nineteen. */
export function checkEventType(type: string, fix: string): void {
  if (isWebhookEventType(type)) return;
  const nearest = nearestName(type, WEBHOOK_EVENT_TYPES);
  throw usage(`There is no event type ${plain(type)}.`, nearest ? `Did you mean ${nearest}?` : fix);
}

/** Reads what `--data` was given: JSON, `@file` or `-`. @throws CliError unless it is an object. */
export async function readData(terminal: Terminal, given: string): Promise<JsonObject> {
  const path = given === '-' ? '-' : given.startsWith('@') ? given.slice(1) : undefined;
  const text = path === undefined ? given : (await readInput(terminal, path)).toString('utf8');
  const value = parseJson(text);
  if (!isObject(value)) {
    throw usage('--data is no JSON object.', `Pass one, such as '{"user":{"id":"user_1"}}', or @file, or - for stdin.`);
  }
  return value;
}

/** An event of a type, with data over its sample, and fields over those. */
export function composeEvent(
  type: string,
  {
    data,
    overrides = [],
  }: { readonly data?: JsonObject | undefined; readonly overrides?: readonly string[] | undefined },
): AnyWebhookEvent {
  const own = !isWebhookEventType(type);
  if (own && !data) checkEventType(type, 'See `pathfinder-webhooks events`. A type of your own needs --data.');
  const merged = sampleEvent(own ? 'user.created' : type, data && !own ? { data: data as never } : undefined);
  const event: JsonObject = { ...merged, ...(own && { type, data: structuredClone(data) }) };
  for (const override of overrides) applyOverride(event, override);
  return event as unknown as AnyWebhookEvent;
}

/** @throws CliError for data that does not fit the schema of its type. */
export function checkData(event: AnyWebhookEvent): void {
  if (!isWebhookEventType(event.type)) return;
  const result = webhookEventSchemas[event.type].safeParse(event.data);
  const [issue] = result.error?.issues ?? [];
  if (!issue) return;
  const place = plain(['data', ...issue.path].join('.'));
  throw usage(
    `The event does not fit ${event.type}: ${place}: ${issue.message}.`,
    'Correct it, or send it all the same with --no-validate.',
  );
}

// A path that does not begin in the envelope begins in `data`, which is what one mostly wants to change.
function applyOverride(event: JsonObject, override: string): void {
  const [, path = '', text = ''] = /^([^=]+)=(.*)$/s.exec(override) ?? [];
  const segments = path.split('.');
  if (!path || segments.some((segment) => segment === '' || UNSAFE.has(segment))) {
    throw usage('--override takes a path and a value.', 'Such as user.email=ada@example.com, or created=1709280000.');
  }
  if (segments[0] === 'type') throw usage('--override cannot change the type.', 'Name the type you want as the event.');
  const value = parseJson(text);
  setAt(
    event,
    ENVELOPE.includes(segments[0] ?? '') ? segments : ['data', ...segments],
    value === undefined ? text : value,
  );
}

function setAt(target: JsonObject, [first = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner = Object.hasOwn(target, first) ? target[first] : undefined;
  if (typeof inner !== 'object' || inner === null) target[first] = {};
  setAt(target[first] as JsonObject, rest, value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
