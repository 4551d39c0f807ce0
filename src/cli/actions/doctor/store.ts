import type { Context } from '../../support/context.ts';
import { CliError } from '../../support/failure.ts';
import { type StoreOptions, withQueue } from '../../support/store.ts';
import type { NoteCheck } from './check.ts';

/** Looks into the store, if one is named. */
export async function checkStore(context: Context, options: StoreOptions, note: NoteCheck): Promise<void> {
  if (options.store === undefined && !context.settings.find('PATHFINDER_WEBHOOK_STORE')) {
    note({
      id: 'store',
      state: 'skipped',
      detail: 'none is named (--store): without one, ids are remembered in the process',
    });
    return;
  }
  try {
    await withQueue(context, options, async (queue) => {
      const { ready, active, delayed, dead } = await queue.stats();
      const detail = `ready ${ready}, active ${active}, delayed ${delayed}, dead ${dead}`;
      if (dead === 0) note({ id: 'store', state: 'ok', detail });
      else note({ id: 'store', state: 'problem', detail, fix: 'Look at `pathfinder-webhooks dead-letters list`.' });
    });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    note({ id: 'store', state: 'problem', detail: error.message, fix: error.fix });
  }
}
