import * as z from 'zod';
import type { WebhookEventType } from '../index.ts';
import { UnreadableAnswer } from './transport.ts';

/** An event type to subscribe to: one of the nineteen, or a newer one. */
export type SubscribedEvent = WebhookEventType | (string & {});

/** What a new webhook is made of. */
export interface CreateWebhook {
  /** Where Pathfinder shall send the events. */
  readonly url: string;
  readonly events: readonly SubscribedEvent[];
  /** Default `true`. */
  readonly active?: boolean | undefined;
  /** A signing secret of your own. */
  readonly secret?: string | undefined;
}

/** What to change; the rest stays. */
export type UpdateWebhook = { readonly [K in keyof CreateWebhook]?: CreateWebhook[K] | undefined };

/** Options of every call. */
export interface CallOptions {
  /** Ends the call at once, which then rejects with the signal's reason. What was sent may still be carried out. */
  readonly signal?: AbortSignal | undefined;
}

/** A webhook as the API shows it. Fields that this package does not know are kept. */
export interface WebhookEndpoint {
  readonly id: string;
  /** Where Pathfinder sends the events. */
  readonly url: string;
  /** The subscribed event types. */
  readonly events: readonly string[];
  /** Whether events are sent; `undefined` when the API does not say. */
  readonly active?: boolean | undefined;
  /** ISO 8601. */
  readonly created_at?: string | undefined;
}

/** A webhook that was just created. */
export interface CreatedWebhookEndpoint extends WebhookEndpoint {
  /**
   * A signing secret of the API's own making. The documentation does not say whether this or the `secret` that was sent
   * signs: give the handler both. Keep it: no other call returns it.
   */
  readonly signing_key?: string | undefined;
}

/** The webhook in an answer. @throws UnreadableAnswer @internal */
export function readWebhook(answer: unknown): CreatedWebhookEndpoint {
  const { data, webhook } = recordOf(answer);
  const candidates = [recordOf(data).webhook, data, webhook, answer];
  const found = candidates.find((candidate) => webhookSchema().safeParse(candidate).success);
  return check(found ?? candidates.find((candidate) => candidate !== undefined), 'data.webhook');
}

/** The webhooks in an answer. @throws UnreadableAnswer @internal */
export function readWebhooks(answer: unknown): readonly WebhookEndpoint[] {
  const { data, webhooks } = recordOf(answer);
  const listed = [recordOf(data).webhooks, data, webhooks, answer].find((candidate) => Array.isArray(candidate));
  if (!Array.isArray(listed)) throw new UnreadableAnswer('There is no list at `data.webhooks`.');
  return listed.map((webhook: unknown, i) => check(webhook, `data.webhooks[${i}]`));
}

/** `data` of an answer, whatever it is. @internal */
export function readData(answer: unknown): Readonly<Record<string, unknown>> {
  return recordOf(recordOf(answer).data);
}

let schema: ReturnType<typeof createSchema> | undefined;

function webhookSchema() {
  schema ??= createSchema();
  return schema;
}

// The schema requires only what the client itself needs; any other field that is unusable is as if it were not there.
function createSchema() {
  return z.looseObject({
    id: z.string().min(1),
    url: z.string(),
    events: z.array(z.string()),
    active: z.boolean().optional().catch(undefined),
    created_at: z.string().optional().catch(undefined),
    signing_key: z.string().optional().catch(undefined),
  });
}

function check(value: unknown, place: string): CreatedWebhookEndpoint {
  const { data, error } = webhookSchema().safeParse(value);
  if (data) return data;
  const fields = error.issues.map(({ path }) => [place, ...path].join('.'));
  throw new UnreadableAnswer(`Missing or of another type: ${[...new Set(fields)].join(', ')}.`);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
