import { isPathfinderApiError, PathfinderWebhooksClient } from '../../client/index.ts';
import type { Context } from './context.ts';
import { CliError, type EXIT } from './failure.ts';
import { plain } from './plain.ts';
import { readApi } from './settings.ts';

const UNREACHABLE = new Set(['api_unreachable', 'api_timeout', 'api_unavailable', 'api_rate_limited']);

/** Calls the management API with the token and the address of the settings. @throws CliError that tells what is wrong with which. */
export async function callApi<T>(
  { settings, terminal }: Context,
  call: (client: PathfinderWebhooksClient, options: { readonly signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const client = openClient(readApi(settings));
  try {
    return await call(client, { signal: terminal.signal });
  } catch (error) {
    if (isPathfinderApiError(error)) throw new CliError(exitOf(error.code), error.code, ...inTwo(error.message));
    throw error;
  }
}

// Settings that make no sense are no wrong use of a command.
function openClient(api: { readonly token: string; readonly baseUrl: string }): PathfinderWebhooksClient {
  try {
    return new PathfinderWebhooksClient(api);
  } catch (error) {
    const fix = 'Correct PATHFINDER_API_TOKEN or PATHFINDER_API_URL.';
    throw new CliError('setup', 'api_not_configured', (error as Error).message, fix);
  }
}

function exitOf(code: string): keyof typeof EXIT {
  if (code === 'api_unauthorized' || code === 'api_forbidden') return 'setup';
  return UNREACHABLE.has(code) ? 'unreachable' : 'no';
}

// The client's messages say what is wrong in their first sentence, and what to do in the rest.
function inTwo(message: string): [cause: string, fix: string] {
  const [, cause = message, fix = ''] = /^(.*?\.) (.*)$/s.exec(plain(message)) ?? [];
  return [cause, fix.replaceAll('`baseUrl`', 'PATHFINDER_API_URL').replace(/ \(status (\d+)[^)]*\)/, ' (status $1)')];
}
