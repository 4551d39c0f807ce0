import { isWebhookEventType, WEBHOOK_EVENT_TYPES } from '../../events/index.ts';
import { nearestName } from '../../shared/nearest.ts';
import type { SeededRandom } from './random.ts';

/** A registered webhook, as the management API shows it. */
export interface SandboxWebhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly active: boolean;
  /** ISO 8601. */
  readonly created_at: string;
}

/** What the sandbox keeps of it. @internal */
export interface Endpoint extends SandboxWebhook {
  readonly secret: string | undefined;
  readonly signing_key: string;
}

/** What the sandbox refuses in a request, in words for the developer. @internal */
export class InvalidRequest extends Error {}

/** @internal */
export interface Endpoints {
  create(fields: Readonly<Record<string, unknown>>): Endpoint;
  update(id: string, fields: Readonly<Record<string, unknown>>): Endpoint | undefined;
  delete(id: string): boolean;
  get(id: string): Endpoint | undefined;
  list(): readonly Endpoint[];
}

/** Where the registry takes what it does not make up itself. @internal */
export interface EndpointsOptions {
  readonly random: SeededRandom;
  readonly now: () => number;
  /** Event types that may be subscribed to besides the nineteen. */
  readonly ownTypes: readonly string[];
}

/** The registered webhooks. Whatever it throws is an `InvalidRequest`. @internal */
export function createEndpoints({ random, now, ownTypes }: EndpointsOptions): Endpoints {
  const endpoints = new Map<string, Endpoint>();
  return {
    create(fields) {
      for (const name of ['url', 'events']) if (fields[name] === undefined) refuse(`\`${name}\` is missing`);
      const { url = '', events = [], active = true, secret } = checkFields(fields, ownTypes);
      const created_at = new Date(Math.floor(now() / 1000) * 1000).toISOString().replace('.000Z', 'Z');
      const id = `webhook_${random.hex(12)}`;
      const endpoint = { id, url, events, active, created_at, secret, signing_key: `whsec_${random.hex(32)}` };
      endpoints.set(id, endpoint);
      return endpoint;
    },
    update(id, fields) {
      const endpoint = endpoints.get(id);
      if (!endpoint) return undefined;
      const updated = { ...endpoint, ...checkFields(fields, ownTypes) };
      endpoints.set(id, updated);
      return updated;
    },
    delete: (id) => endpoints.delete(id),
    get: (id) => endpoints.get(id),
    list: () => [...endpoints.values()],
  };
}

/** Refuses a name that is neither one of the nineteen nor one of `ownTypes`. @internal */
export function checkEventType(type: unknown, ownTypes: readonly string[]): string {
  if (typeof type !== 'string') refuse('an event type must be a string');
  if (isWebhookEventType(type) || ownTypes.includes(type)) return type;
  const nearest = nearestName(type, [...WEBHOOK_EVENT_TYPES, ...ownTypes]);
  return refuse(`unknown event type ${JSON.stringify(type)}${nearest ? `, did you mean ${nearest}?` : ''}`);
}

interface CheckedFields {
  url?: string;
  events?: readonly string[];
  active?: boolean;
  secret?: string;
}

function checkFields(fields: Readonly<Record<string, unknown>>, ownTypes: readonly string[]): CheckedFields {
  const checked: CheckedFields = {};
  if (fields.url !== undefined) checked.url = checkUrl(fields.url);
  if (fields.events !== undefined) checked.events = checkEvents(fields.events, ownTypes);
  if (fields.active !== undefined) checked.active = checkActive(fields.active);
  if (fields.secret !== undefined) checked.secret = checkSecret(fields.secret);
  return checked;
}

function checkUrl(url: unknown): string {
  if (typeof url !== 'string' || !URL.canParse(url)) refuse('`url` must be an absolute URL');
  const { protocol, hostname, username, password } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') refuse('`url` must be http or https');
  if (username || password) refuse('`url` must hold no user name and no password');
  if (hostname !== 'localhost' && hostname !== '[::1]' && !/^127\.\d+\.\d+\.\d+$/.test(hostname)) {
    refuse('`url` must be on this machine (localhost, 127.0.0.1 or [::1]): the sandbox delivers nowhere else');
  }
  return url;
}

function checkEvents(events: unknown, ownTypes: readonly string[]): readonly string[] {
  if (!Array.isArray(events) || events.length === 0) refuse('`events` must be a list of at least one event type');
  return [...new Set(events.map((type: unknown) => checkEventType(type, ownTypes)))];
}

function checkActive(active: unknown): boolean {
  return typeof active === 'boolean' ? active : refuse('`active` must be true or false');
}

function checkSecret(secret: unknown): string {
  if (typeof secret === 'string' && secret && secret.trim() === secret && !/\p{Cs}/u.test(secret)) return secret;
  return refuse('`secret` must be text without white space around it');
}

function refuse(reason: string): never {
  throw new InvalidRequest(reason);
}
