import { isWebhookError, WebhookError } from './errors.ts';
import {
  type EventSchemas,
  isWebhookEventType,
  type ReceivedWebhookEvent,
  type StandardSchemaIssue,
  type StandardSchemaV1,
  webhookEventSchemas,
} from './events/index.ts';
import type { Asker } from './run/ask.ts';
import { type ApplySchema, SignedEvent } from './run/signed-event.ts';
import { isThenable } from './shared/thenable.ts';

/** Between which ages an event is taken. */
export interface AgeLimits {
  /** Default: any age passes. */
  readonly maxAgeSeconds?: number | undefined;
  /** How far ahead the sender's clock may be. Default 300; only with `maxAgeSeconds`. */
  readonly futureSkewSeconds?: number | undefined;
}

export const FUTURE_SKEW_SECONDS = 300;

/** Why an event created at `created` (Unix seconds) is refused at `nowMs`, if it is. */
export function ageProblem(created: number, nowMs: number, limits: AgeLimits): WebhookError | undefined {
  const { maxAgeSeconds, futureSkewSeconds = FUTURE_SKEW_SECONDS } = limits;
  if (maxAgeSeconds === undefined) return undefined;
  const ageSeconds = nowMs / 1000 - created;
  if (ageSeconds > maxAgeSeconds) return new WebhookError('too_old');
  if (-ageSeconds > futureSkewSeconds) return new WebhookError('too_new');
  return undefined;
}

/** An event whose data was checked, and how the data departs from its schema. */
export interface Validated {
  readonly event: SignedEvent;
  readonly drift: WebhookError | undefined;
}

const MOST_ISSUES = 5;

/**
 * Checks `data` against the integrator's schema for the type, whose output replaces it, else against the built-in one,
 * which changes nothing. An event of an unknown type passes as it is.
 *
 * @param asker - Waits for a schema that answers with a promise.
 * @throws WebhookError `store_unavailable` when that has no answer in time.
 */
export function readEvent(
  event: ReceivedWebhookEvent,
  body: Uint8Array,
  own: EventSchemas | undefined,
  asker: Asker,
): Validated | Promise<Validated> {
  const schema = schemaOf(own, event.type);
  if (!schema) return { event: new SignedEvent(event, body, undefined, event), drift: validateBuiltIn(event) };
  return validateOwn(event, schema, asker).then((checked) => ({
    event: new SignedEvent(event, body, applierOf(own, event.type, asker), checked.event),
    drift: checked.drift,
  }));
}

/** Puts what the integrator's schema for the type makes of `data` in its place; `undefined` where there is none. */
export function applierOf(own: EventSchemas | undefined, type: string, asker: Asker): ApplySchema | undefined {
  const schema = schemaOf(own, type);
  return schema && (async (event) => (await validateOwn(event, schema, asker)).event);
}

function schemaOf(own: EventSchemas | undefined, type: string): StandardSchemaV1 | undefined {
  return own && Object.hasOwn(own, type) ? own[type] : undefined;
}

/** How `data` departs from its built-in schema, if it has one and does. */
export function validateBuiltIn({ type, data }: ReceivedWebhookEvent): WebhookError | undefined {
  if (!isWebhookEventType(type)) return undefined;
  const checked = webhookEventSchemas[type].safeParse(data);
  return checked.success ? undefined : driftOf(checked.error.issues);
}

interface Checked {
  readonly event: ReceivedWebhookEvent;
  readonly drift: WebhookError | undefined;
}

async function validateOwn(event: ReceivedWebhookEvent, schema: StandardSchemaV1, asker: Asker): Promise<Checked> {
  try {
    const validating = schema['~standard'].validate(event.data);
    const result = isThenable(validating) ? await asker.ask(() => validating) : validating;
    if (result.issues) return { event, drift: driftOf(result.issues) };
    return { event: { ...event, data: result.value } as ReceivedWebhookEvent, drift: undefined };
  } catch (cause) {
    if (isWebhookError(cause, 'store_unavailable')) throw cause;
    return { event, drift: new WebhookError('invalid_data', { detail: 'Its schema threw.', cause }) };
  }
}

// Paths only: a schema's message may quote the value.
function driftOf(issues: readonly Pick<StandardSchemaIssue, 'path'>[]): WebhookError {
  const paths = issues.slice(0, MOST_ISSUES).map(({ path = [] }) => ['data', ...path.map(segmentOf)].join('.'));
  const more = issues.length > MOST_ISSUES ? ` and ${issues.length - MOST_ISSUES} more` : '';
  return new WebhookError('invalid_data', { detail: `At ${paths.join(', ')}${more}.` });
}

function segmentOf(segment: PropertyKey | { readonly key: PropertyKey }): string {
  const key = String(typeof segment === 'object' ? segment.key : segment);
  // A record's keys are the sender's words.
  return /^[\w-]{1,64}$/.test(key) ? key : '?';
}
