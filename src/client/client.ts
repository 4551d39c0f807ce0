import type { WebhookEventType } from '../index.ts';
import { isPathfinderApiError, PathfinderApiError } from './errors.ts';
import { type PathfinderWebhooksClientOptions, readClientOptions } from './options.ts';
import { createTransport, type Transport } from './transport.ts';
import { type CreatedWebhookEndpoint, readData, readWebhook, readWebhooks, type WebhookEndpoint } from './webhook.ts';

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

/** What a webhook shall be like after `sync`. */
export interface SyncWebhook extends CreateWebhook {
  /** Default: `true` for a new webhook; one that is there stays as it is. */
  readonly active?: boolean | undefined;
  /** Used for a new webhook only: the API does not show the secret of one that is there, so it cannot be compared. */
  readonly secret?: string | undefined;
}

/** What `sync` did. */
export type SyncResult =
  | { readonly action: 'created'; readonly webhook: CreatedWebhookEndpoint }
  | { readonly action: 'updated' | 'unchanged'; readonly webhook: WebhookEndpoint };

/** Options of every call. */
export interface CallOptions {
  /** Ends the call at once, which then rejects with the signal's reason. What was sent may still be carried out. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pathfinder's management API for webhooks. Every call has a deadline, follows no redirect, and rejects with a
 * `PathfinderApiError`, or with a `TypeError` for arguments that make no sense. `list`, `update` and `delete` are made
 * again after 429, 502, 503, 504 and network faults; `create` and `test` never are.
 *
 * @example
 * ```ts
 * const client = new PathfinderWebhooksClient({ token, baseUrl: 'https://api.pathfinder.example' });
 * await client.sync({ url: 'https://app.example.com/webhooks/pathfinder', events: webhooks.eventTypes });
 * ```
 */
export class PathfinderWebhooksClient {
  /** Where the API is. */
  readonly baseUrl: string;
  readonly #call: Transport;

  /** @throws TypeError for options that make no sense: no token, a `baseUrl` that would send it in the clear, … */
  constructor(options: PathfinderWebhooksClientOptions) {
    const settings = readClientOptions(options);
    this.baseUrl = settings.baseUrl;
    this.#call = createTransport(settings);
  }

  /** Registers a webhook. Keep the `signing_key` that comes back: no other call returns it. */
  async create(webhook: CreateWebhook, { signal }: CallOptions = {}): Promise<CreatedWebhookEndpoint> {
    const { url, events, active = true, secret } = webhook;
    checkWhole({ url, events, active, secret });
    return this.#call({
      method: 'POST',
      path: '',
      body: { url, events: unique(events), active, ...(secret !== undefined && { secret }) },
      confidential: secretsIn(webhook),
      read: readWebhook,
      signal,
    });
  }

  /** All webhooks of the account. */
  async list({ signal }: CallOptions = {}): Promise<readonly WebhookEndpoint[]> {
    return this.#call({ method: 'GET', path: '', read: readWebhooks, signal });
  }

  /** Changes the given fields of a webhook. */
  async update(id: string, changes: UpdateWebhook, { signal }: CallOptions = {}): Promise<WebhookEndpoint> {
    checkFields(changes);
    const { url, events, active, secret } = changes;
    const body = { url, events: events && unique(events), active, secret };
    if (Object.values(body).every((value) => value === undefined)) {
      throw new TypeError('Pass at least one of url, events, active and secret.');
    }
    return this.#call({
      method: 'PUT',
      path: pathOf(id),
      body,
      confidential: secretsIn(changes),
      read: readWebhook,
      signal,
    });
  }

  /** Removes a webhook. */
  async delete(id: string, { signal }: CallOptions = {}): Promise<void> {
    const path = pathOf(id);
    try {
      await this.#call({ method: 'DELETE', path, read: () => undefined, signal });
    } catch (error) {
      // The answer to an earlier request was lost, but it had removed the webhook.
      if (isPathfinderApiError(error, 'api_not_found') && error.attempts > 1) return;
      throw error;
    }
  }

  /**
   * Has Pathfinder send a test event to a webhook.
   *
   * @returns `data` of the answer, which the documentation does not show.
   */
  async test(
    id: string,
    eventType: SubscribedEvent,
    { signal }: CallOptions = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const path = `${pathOf(id)}/test`;
    if (typeof eventType !== 'string' || !eventType) throw new TypeError('Pass the event type to test.');
    return this.#call({ method: 'POST', path, body: { event_type: eventType }, read: readData, signal });
  }

  /**
   * Sees to it that there is one webhook with this URL, for exactly these events: creates it, updates it, or leaves it
   * alone when nothing differs, whatever the order of the events.
   *
   * @throws PathfinderApiError `api_duplicate_endpoints` when several webhooks have this URL, besides those of any call;
   *   `TypeError` without events, as of a handler on which nothing is registered.
   */
  async sync(wanted: SyncWebhook, options: CallOptions = {}): Promise<SyncResult> {
    const { url, events, active } = wanted;
    checkWhole(wanted);
    const found = (await this.list(options)).filter((webhook) => sameUrl(webhook.url, url));
    const [webhook, another] = found;
    if (!webhook) return { action: 'created', webhook: await this.create(wanted, options) };
    if (another) throw duplicates(found);
    const changes = {
      ...(!sameEvents(webhook.events, events) && { events }),
      ...(active !== undefined && active !== (webhook.active ?? true) && { active }),
    };
    if (Object.keys(changes).length === 0) return { action: 'unchanged', webhook };
    return { action: 'updated', webhook: await this.update(webhook.id, changes, options) };
  }
}

function checkWhole(webhook: CreateWebhook): void {
  if (webhook.url === undefined || webhook.events === undefined) throw new TypeError('Pass both `url` and `events`.');
  checkFields(webhook);
}

function checkFields({ url, events, active, secret }: UpdateWebhook): void {
  if (url !== undefined && !(typeof url === 'string' && URL.canParse(url))) {
    throw new TypeError('`url` must be the absolute URL of the receiver.');
  }
  if (events !== undefined) checkEvents(events);
  if (active !== undefined && typeof active !== 'boolean') throw new TypeError('`active` must be true or false.');
  const usable = typeof secret === 'string' && secret !== '' && secret.trim() === secret;
  if (secret !== undefined && !usable) {
    throw new TypeError('`secret` must be text without white space around it, or left out.');
  }
}

function checkEvents(events: readonly unknown[]): void {
  if (!Array.isArray(events) || !events.every((type) => typeof type === 'string' && type !== '')) {
    throw new TypeError('`events` must be a list of event types.');
  }
  if (events.length === 0) {
    throw new TypeError('`events` is empty. Of a handler, register its handlers before you read `eventTypes`.');
  }
}

function pathOf(id: string): string {
  if (typeof id !== 'string' || id === '' || id === '.' || id === '..' || /\p{Cs}/u.test(id)) {
    throw new TypeError('Pass the id of a webhook, as `create` and `list` return it.');
  }
  return `/${encodeURIComponent(id)}`;
}

function secretsIn({ secret }: UpdateWebhook): readonly string[] {
  return secret === undefined ? [] : [secret];
}

function unique(events: readonly string[]): readonly string[] {
  return [...new Set(events)];
}

function sameEvents(some: readonly string[], others: readonly string[]): boolean {
  const [left, right] = [new Set(some), new Set(others)];
  return left.size === right.size && [...left].every((type) => right.has(type));
}

// URLs are compared as an API may write them: `https://app.example.com` and `https://app.example.com/` are one.
function sameUrl(some: string, other: string): boolean {
  return some === other || (URL.canParse(some) && new URL(some).href === new URL(other).href);
}

function duplicates(webhooks: readonly WebhookEndpoint[]): PathfinderApiError {
  const ids = webhooks.map(({ id }) => id.replace(/[^\x21-\x7e]/g, '?').slice(0, 64));
  return new PathfinderApiError('api_duplicate_endpoints', { detail: `They are: ${ids.join(', ')}.` });
}
