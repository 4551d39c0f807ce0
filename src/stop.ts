import type { Background } from './background.ts';
import type { WebhookQueue } from './queue.ts';
import type { WebhookLogger } from './report/logger.ts';
import type { RunningEvent } from './run/core.ts';
import type { OpenDeliveries } from './run/open-deliveries.ts';
import { guarded } from './shared/guard.ts';
import { within } from './shared/time.ts';

// How long handlers that were told to stop are waited for, at most: one that heeds its signal needs less.
const MOST_GRACE_MS = 1000;
// A queue gives back what is left even where no time is left for it.
const QUEUE_WRITE_MS = 200;
const MOST_NAMED = 20;

/** What runs in a handler, and its end. */
export interface Stoppable {
  readonly queue: WebhookQueue | undefined;
  readonly openDeliveries: OpenDeliveries;
  readonly background: Background;
  readonly running: ReadonlySet<RunningEvent>;
  readonly logger: WebhookLogger;
}

/**
 * Takes nothing new from the queue, and waits for all that runs: deliveries without a reply, handlers, those that are late
 * too, and work behind replies. Near the end of its time it aborts their signals, and names what is left in the log.
 *
 * @throws What the queue's own `stop` rejects with, after all else is done.
 */
export async function stopAll(stoppable: Stoppable, timeoutMs: number): Promise<void> {
  const { queue, openDeliveries, background, running } = stoppable;
  const graceMs = Math.min(MOST_GRACE_MS, timeoutMs / 10);
  let failure: { readonly error: unknown } | undefined;
  // A queue that fails to stop keeps nobody from waiting for the deliveries.
  const stopped = guarded(() => queue?.stop({ timeoutMs })).catch((error) => {
    failure = { error };
  });
  const ended = Promise.all([stopped, openDeliveries.idle().then(() => background.idle())]);
  if (!(await isWithin(timeoutMs - graceMs, ended))) {
    for (const event of running) event.stop(new Error('The receiver was stopped.'));
    await isWithin(queue ? graceMs + QUEUE_WRITE_MS : graceMs, ended);
  }
  nameLeft(stoppable);
  if (failure) throw failure.error;
}

function isWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const done = work.then(() => true);
  return within(ms, done, () => false);
}

function nameLeft({ running, logger }: Stoppable): void {
  if (running.size === 0) return;
  const left = Array.from(running).flatMap(({ job, unended }) =>
    unended.map(({ id }) => ({ event_id: job.event.id, event_type: job.event.type, handler: id })),
  );
  const fields = { left: left.slice(0, MOST_NAMED), handlers: left.length };
  logger.warn(fields, 'stop() ran out of time: what is left goes on until the process ends');
}
