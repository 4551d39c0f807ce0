import { isPathfinderApiError } from './errors.ts';
import { type PathfinderWebhooksClientOptions, readClientOptions } from './options.ts';
import { type SyncResult, type SyncWebhook, syncWebhook } from './sync.ts';
import { createTransport, type Transport } from './transport.ts';
import {
  type CallOptions,
  type CreatedWebhookEndpoint,
  type CreateWebhook,
  readData,
  readWebhook,
  readWebhooks,
  type SubscribedEvent,
  type UpdateWebhook,
  type WebhookEndpoint,
} from './webhook.ts';

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
  /** The calls of `sync` go one after the other. */
  #syncing: Promise<void> = Promise.resolve();

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
   * alone when nothing differs, whatever the order of the events. Replicas that start together may all call it: when several
   * create one, one of these is left, and the secret of the others goes with them; pass a `secret` that all of them know.
   *
   * @throws PathfinderApiError `api_duplicate_endpoints` when several webhooks have this URL, besides those of any call;
   *   `TypeError` without events, as of a handler on which nothing is registered.
   */
  async sync(wanted: SyncWebhook, options: CallOptions = {}): Promise<SyncResult> {
    checkWhole(wanted);
    const before = this.#syncing;
    const synced = before.then(() => syncWebhook(this, wanted, options));
    this.#syncing = synced.then(
      () => undefined,
      () => undefined,
    );
    return synced;
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
