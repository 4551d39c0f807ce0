import { within } from '../shared/time.ts';
import type { Core, Job } from './execution.ts';
import { type Processed, type Processing, processEvent } from './process.ts';

const DUPLICATE_WAIT_MS = 5000;
const MOST_EMPTIED = 64;

/** Processes events before their reply, without a queue. */
export interface InRequest {
  /**
   * Runs the event, or waits for the run of the same event that this process is at.
   *
   * @throws WebhookError `store_unavailable`.
   */
  process(job: Job): Promise<Answer>;
  /** Waits for what runs now. */
  idle(): Promise<void>;
}

export interface Answer extends Processing {
  /** Another call ran the event, and counts what became of it. */
  readonly heard?: boolean;
}

interface Leader {
  readonly bodyHash: string;
  readonly processing: Promise<Processing>;
}

export function createInRequest(core: Core): InRequest {
  // Events at work in this process: bounded by the requests that are open, and a few emptied places.
  const running = new Map<string, Leader | undefined>();
  let live = 0;

  function lead(job: Job, placeIsTaken: boolean): Promise<Processing> {
    const processing = processEvent(core, job);
    // One with other bytes keeps its place: copies of it still have to hear of it.
    if (placeIsTaken) return processing;
    running.set(job.key, { bodyHash: job.bodyHash, processing });
    live++;
    const ended = () => leave(job.key);
    // Still running behind its reply: until it has settled, a copy hears what this delivery heard.
    processing.then(({ recorded }) => (recorded ? recorded.then(ended, ended) : ended()), ended);
    return processing;
  }

  // Emptied, and deleted in bulk: deleting from a Map of few makes a new one each time.
  function leave(key: string): void {
    running.set(key, undefined);
    live--;
    if (running.size - live < MOST_EMPTIED) return;
    for (const [place, leader] of running) if (!leader) running.delete(place);
  }

  return {
    process(job) {
      const leader = running.get(job.key);
      // Other bytes are for the store to judge.
      return leader?.bodyHash === job.bodyHash ? follow(leader) : lead(job, leader !== undefined);
    },
    async idle() {
      await Promise.allSettled(Array.from(running.values(), (leader) => leader?.processing));
    },
  };
}

const BUSY: Processed = { status: 'busy', retryAfterMs: 0 };

async function follow({ processing }: Leader): Promise<Answer> {
  const { outcome } = await within(DUPLICATE_WAIT_MS, processing, () => ({ outcome: BUSY }));
  // One more duplicate for the metrics; what else became of the event is counted where it ran.
  if (outcome.status === 'processed') return { outcome: { status: 'duplicate' } };
  return { outcome, heard: true };
}
