import type { CreatedWebhookEndpoint, PathfinderWebhooksClient, WebhookEndpoint } from '../../client/index.ts';
import { secretFingerprint } from '../../testing/index.ts';
import { callApi } from '../support/api.ts';
import type { Context } from '../support/context.ts';
import { addToEnvFile, checkNotIn } from '../support/env-file.ts';
import { EXIT, usage } from '../support/failure.ts';
import { plain } from '../support/plain.ts';
import { readApi, readSecret, SECRET, SIGNING_KEY } from '../support/settings.ts';

interface KeyOptions {
  readonly withSecret?: boolean;
  readonly writeEnv?: string | true;
  readonly showKey?: boolean;
}

export interface CreateOptions extends KeyOptions {
  readonly url: string;
  readonly events: readonly string[];
  readonly inactive?: boolean;
}

export interface UpdateOptions {
  readonly url?: string;
  readonly events?: readonly string[];
  readonly active?: boolean;
  readonly inactive?: boolean;
  readonly withSecret?: boolean;
}

export async function listEndpoints(context: Context): Promise<undefined> {
  const { printer } = context;
  const webhooks = await callApi(context, (client, options) => client.list(options));
  printer.data({ items: webhooks.map(withoutKey), total: webhooks.length });
  for (const webhook of webhooks) printer.line(...lineOf(webhook));
  if (webhooks.length === 0) printer.note('There are none. `pathfinder-webhooks endpoints create` makes one.');
  return undefined;
}

export async function createEndpoint(context: Context, options: CreateOptions): Promise<undefined> {
  const keep = planKey(context, options);
  const secret = await secretToSend(context, options);
  const { url, events, inactive } = options;
  const webhook = await callApi(context, (client, call) =>
    client.create({ url, events, active: !inactive, ...secret }, call),
  );
  tell(context, 'created', webhook, keep);
  return undefined;
}

export async function updateEndpoint(context: Context, options: UpdateOptions, id = ''): Promise<undefined> {
  const { url, events, active, inactive } = options;
  if (active && inactive) throw usage('--active and --inactive exclude each other.', 'Pass one of them.');
  const changes = {
    ...(url !== undefined && { url }),
    ...(events && { events }),
    ...((active || inactive) && { active: active === true }),
    ...(await secretToSend(context, options)),
  };
  if (Object.keys(changes).length === 0) {
    throw usage('There is nothing to change.', 'Pass --url, --events, --active, --inactive or --with-secret.');
  }
  const webhook = await callApi(context, (client, call) => client.update(id, changes, call));
  tell(context, 'updated', webhook);
  return undefined;
}

export async function deleteEndpoint(
  context: Context,
  { yes }: { readonly yes?: boolean },
  id = '',
): Promise<undefined> {
  if (!yes) throw usage(`${plain(id)} would be removed for good.`, 'Pass --yes if that is what you want.');
  await callApi(context, (client, call) => client.delete(id, call));
  context.printer.data({ action: 'deleted', id });
  context.printer.line(['green', '✓ '], `deleted ${id}`);
  return undefined;
}

export async function testEndpoint(context: Context, { event }: { readonly event: string }, id = ''): Promise<number> {
  const data = await callApi(context, (client, call) => client.test(id, event, call));
  context.printer.data({ action: 'tested', id, event, data });
  context.printer.line(['green', '✓ '], `Pathfinder sends ${event} to ${id}. `, ['dim', "Look into your app's log."]);
  return EXIT.ok;
}

export async function syncEndpoint(context: Context, options: CreateOptions): Promise<undefined> {
  const keep = planKey(context, options);
  const secret = await secretToSend(context, options);
  const { url, events } = options;
  const { action, webhook } = await callApi(context, (client: PathfinderWebhooksClient, call) =>
    client.sync({ url, events, ...secret }, call),
  );
  tell(context, action, webhook, action === 'created' ? keep : undefined);
  return undefined;
}

/** Puts a signing key where it was asked to go, and says where that is. Made, and found possible, before there is a key. */
type KeepKey = (key: string) => string;

function planKey({ terminal, settings }: Context, { writeEnv, showKey }: KeyOptions): KeepKey {
  readApi(settings);
  if ((writeEnv === undefined) === (showKey === undefined)) {
    throw usage(
      writeEnv === undefined
        ? 'Where shall the signing key go? No later call shows it.'
        : '--write-env and --show-key exclude each other.',
      'Pass --write-env, which adds it to .env.local, or --show-key, which prints it.',
    );
  }
  if (showKey) return (key) => key;
  const path = typeof writeEnv === 'string' ? writeEnv : '.env.local';
  checkNotIn(terminal.cwd, path, SIGNING_KEY);
  return (key) => {
    addToEnvFile(terminal.cwd, path, SIGNING_KEY, key);
    return `in ${path} as ${SIGNING_KEY} (fingerprint ${secretFingerprint(key)})`;
  };
}

async function secretToSend(
  context: Context,
  { withSecret }: Pick<KeyOptions, 'withSecret'>,
): Promise<{ readonly secret?: string }> {
  const { terminal, settings, globals, printer } = context;
  if (!withSecret) return {};
  return { secret: (await readSecret(terminal, settings, globals, printer)).value };
}

function tell(context: Context, action: string, webhook: CreatedWebhookEndpoint, keep?: KeepKey): void {
  const { printer } = context;
  const { signing_key: key } = webhook;
  const kept = key !== undefined && keep ? keep(key) : undefined;
  printer.data({ action, webhook: withoutKey(webhook), ...(kept !== undefined && { signing_key: kept }) });
  printer.line(['green', '✓ '], `${action} `, ...lineOf(webhook));
  if (kept !== undefined) {
    printer.line('  signing key  ', kept);
    const both = `[process.env.${SIGNING_KEY}, process.env.${SECRET}]`;
    printer.note(
      `  Pathfinder's page does not say whether this or a secret of yours signs: give the handler both, ${both}.`,
    );
  }
  if (action === 'created') {
    printer.note(
      `  Next: pathfinder-webhooks endpoints test ${webhook.id} --event ${webhook.events[0] ?? 'user.created'}`,
    );
  }
}

function withoutKey({ signing_key: _, ...webhook }: CreatedWebhookEndpoint): WebhookEndpoint {
  const { secret: __, ...shown } = webhook as WebhookEndpoint & { readonly secret?: unknown };
  return shown;
}

function lineOf({ id, url, events, active }: WebhookEndpoint) {
  const state = active === undefined ? '' : active ? 'active, ' : 'inactive, ';
  const count = events.length === 1 ? (events[0] ?? '') : `${events.length} events`;
  return [['bold', id], `  ${url}  `, ['dim', `(${state}${count})`]] as const;
}
