import { callApi } from '../../support/api.ts';
import type { Context } from '../../support/context.ts';
import { CliError } from '../../support/failure.ts';
import { isLocalName } from '../../support/target.ts';
import type { NoteCheck } from './check.ts';

/** Looks whether Pathfinder sends to this receiver, if a token is set. */
export async function checkEndpoint(context: Context, url: URL, note: NoteCheck): Promise<void> {
  const { settings } = context;
  if (!settings.find('PATHFINDER_API_TOKEN') || !settings.find('PATHFINDER_API_URL')) {
    note({ id: 'endpoint', state: 'skipped', detail: 'PATHFINDER_API_TOKEN and PATHFINDER_API_URL are not set' });
    return;
  }
  try {
    const webhooks = await callApi(context, (client, options) => client.list(options));
    const found = webhooks.filter((webhook) => sameUrl(webhook.url, url));
    const [webhook] = found;
    if (!webhook) {
      // A receiver on this machine is behind a tunnel or under test: that no webhook has its URL is no mistake.
      const state = isLocalName(url.hostname) ? 'skipped' : 'problem';
      note({
        id: 'endpoint',
        state,
        detail: `none of ${webhooks.length} webhooks has this URL`,
        ...(state === 'problem' && { fix: 'Register it: `pathfinder-webhooks endpoints create`.' }),
      });
    } else if (found.length > 1) {
      note({
        id: 'endpoint',
        state: 'problem',
        detail: `${found.length} webhooks have this URL, so each event comes as often`,
        fix: 'Delete all but one: `pathfinder-webhooks endpoints delete`.',
      });
    } else if (webhook.active === false) {
      note({
        id: 'endpoint',
        state: 'problem',
        detail: `${webhook.id} is not active`,
        fix: `\`pathfinder-webhooks endpoints update ${webhook.id} --active\``,
      });
    } else {
      note({ id: 'endpoint', state: 'ok', detail: `${webhook.id}, ${webhook.events.length} events` });
    }
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    note({ id: 'endpoint', state: 'problem', detail: error.message, fix: error.fix });
  }
}

function sameUrl(text: string, url: URL): boolean {
  return URL.canParse(text) && new URL(text).href === url.href;
}
