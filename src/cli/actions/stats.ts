import type { QueueStats } from '../../index.ts';
import { sleep } from '../../shared/time.ts';
import type { Context } from '../support/context.ts';
import { type StoreOptions, withQueue } from '../support/store.ts';

const DEFAULT_WATCH_MS = 2000;

/** Says how much a queue holds, once or again and again. */
export async function stats(
  context: Context,
  { watch, ...store }: StoreOptions & { readonly watch?: number | true },
): Promise<undefined> {
  const { printer, terminal } = context;
  await withQueue(context, store, async (queue) => {
    for (;;) {
      const counts = await queue.stats();
      printer.data(counts);
      printer.line(...lineOf(counts));
      if (watch === undefined) return;
      await sleep(watch === true ? DEFAULT_WATCH_MS : watch, terminal.signal);
    }
  });
  return undefined;
}

function lineOf({ ready, active, delayed, dead, unhandled, oldestReadyMs }: QueueStats) {
  const age = ready === 0 ? '' : ` (oldest ${Math.round(oldestReadyMs / 100) / 10} s)`;
  return [
    `ready ${ready}${age}  active ${active}  delayed ${delayed}  `,
    [dead > 0 ? 'red' : 'dim', `dead ${dead}`],
    ['dim', `  unhandled ${unhandled}`],
  ] as const;
}
