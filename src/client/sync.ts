import { sleep } from '../shared/time.ts';
import { PathfinderApiError } from './errors.ts';
import type { CallOptions, CreatedWebhookEndpoint, CreateWebhook, UpdateWebhook, WebhookEndpoint } from './webhook.ts';

// How often, and how long at most, others are waited for that create the same webhook at this moment.
const ATTEMPTS = 5;
const PAUSE_MS = 300;

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

/** What it needs of the client. */
interface Api {
  list(options: CallOptions): Promise<readonly WebhookEndpoint[]>;
  create(webhook: CreateWebhook, options: CallOptions): Promise<CreatedWebhookEndpoint>;
  update(id: string, changes: UpdateWebhook, options: CallOptions): Promise<WebhookEndpoint>;
  delete(id: string, options: CallOptions): Promise<void>;
}

/**
 * Has one webhook with this URL, whoever else creates it at the same time: the API takes as many as it is sent, so whoever
 * created one looks again.
 *
 * @throws PathfinderApiError `api_duplicate_endpoints` when several stay.
 */
export async function syncWebhook(api: Api, wanted: SyncWebhook, options: CallOptions): Promise<SyncResult> {
  for (let attempt = 1; ; attempt++) {
    const found = await listWithUrl(api, wanted.url, options);
    const [webhook, another] = found;
    if (webhook && !another) return update(api, webhook, wanted, options);
    if (another && attempt >= ATTEMPTS) throw duplicates(found);
    const created = webhook ? undefined : await createAlone(api, wanted, options);
    if (created) return { action: 'created', webhook: created };
    // All wait for different times, so that one of them comes first.
    await sleep((0.5 + Math.random() / 2) * PAUSE_MS * Math.min(attempt, ATTEMPTS), options.signal);
  }
}

/** Creates a webhook, and takes it back where another one was there first: whoever made that may not have seen this one. */
async function createAlone(
  api: Api,
  wanted: SyncWebhook,
  options: CallOptions,
): Promise<CreatedWebhookEndpoint | undefined> {
  const created = await api.create(wanted, options);
  const all = await listWithUrl(api, wanted.url, options).catch(() => []);
  // The times have seconds; within one the API's own order counts, which is the same for all.
  const [first = created] = all.toSorted(({ created_at: one = '' }, { created_at: other = '' }) =>
    one < other ? -1 : one > other ? 1 : 0,
  );
  if (first.id === created.id) return created;
  await api.delete(created.id, options);
  return undefined;
}

async function update(
  api: Api,
  webhook: WebhookEndpoint,
  { events, active }: SyncWebhook,
  options: CallOptions,
): Promise<SyncResult> {
  const changes = {
    ...(!sameEvents(webhook.events, events) && { events }),
    ...(active !== undefined && active !== (webhook.active ?? true) && { active }),
  };
  if (Object.keys(changes).length === 0) return { action: 'unchanged', webhook };
  return { action: 'updated', webhook: await api.update(webhook.id, changes, options) };
}

async function listWithUrl(api: Api, url: string, options: CallOptions): Promise<readonly WebhookEndpoint[]> {
  return (await api.list(options)).filter((webhook) => sameUrl(webhook.url, url));
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
