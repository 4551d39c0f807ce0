import type { Outcome } from '../outcome.ts';
import { within } from '../shared/time.ts';
import type { Core, Job } from './core.ts';
import { type Processing, processEvent } from './process.ts';

const DUPLICATE_WAIT_MS = 5000;
const STILL_RUNNING: Outcome = { status: 'in_progress', retryAfterMs: 0 };

/** What became of an event that ran before its reply. */
export interface Answer extends Processing {
  /** Another call ran the event, and counts what became of it. */
  readonly heard?: boolean;
}

interface Flight {
  readonly bodyHash: string;
  readonly processing: Promise<Processing>;
}

/** Runs events before their reply, each once at a time in this process: copies that arrive meanwhile hear its outcome. */
export class SingleFlight {
  readonly #core: Core;
  /** Events that are running, by key: bounded by the requests that are open. */
  readonly #running = new Map<string, Flight>();

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Runs the event, or waits for the run of the same event that this process is at, at most 5 s.
   *
   * @throws WebhookError `store_unavailable`.
   */
  process(job: Job): Promise<Answer> {
    const flight = this.#running.get(job.key);
    if (!flight) return this.#lead(job);
    // Other bytes under the same id are for the store to judge. The first flight keeps its place: copies of it still come.
    return flight.bodyHash === job.bodyHash ? follow(flight) : processEvent(this.#core, job);
  }

  #lead(job: Job): Promise<Processing> {
    const processing = processEvent(this.#core, job);
    this.#running.set(job.key, { bodyHash: job.bodyHash, processing });
    const leave = () => this.#running.delete(job.key);
    // An event may still run behind its reply: until that has settled, a copy hears what this delivery heard.
    processing.then(({ recorded }) => (recorded ? recorded.then(leave, leave) : leave()), leave);
    return processing;
  }
}

async function follow({ processing }: Flight): Promise<Answer> {
  const { outcome } = await within(DUPLICATE_WAIT_MS, processing, () => ({ outcome: STILL_RUNNING }));
  // The copy counts as a duplicate; any other outcome is counted where the event ran.
  if (outcome.status === 'processed') return { outcome: { status: 'duplicate' } };
  return { outcome, heard: true };
}
