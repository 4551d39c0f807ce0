import { WebhookError } from './errors.ts';
import type { Core, Job } from './execution.ts';
import { type Processed, type Processing, processEvent } from './process.ts';
import { sleep } from './retry.ts';

const DUPLICATE_WAIT_MS = 5000;

/** Processes events before their reply, without a queue. */
export interface InRequest {
  /**
   * Runs the event, or waits for the run of the same event that this process is at.
   *
   * @throws WebhookError `store_unavailable`.
   */
  process(job: Job, background: (work: Promise<unknown>) => void): Promise<Led>;
  /** Waits for what runs now. */
  idle(): Promise<void>;
}

export interface Led {
  readonly outcome: Processed;
  /** This call ran the event, and did not only hear of it. */
  readonly led: boolean;
}

interface Leader {
  readonly bodyHash: string;
  readonly processing: Promise<Processing>;
}

export function createInRequest(core: Core): InRequest {
  // Events at work in this process: bounded by the requests that are open.
  const running = new Map<string, Leader>();

  async function lead(job: Job, background: (work: Promise<unknown>) => void): Promise<Led> {
    const leader: Leader = { bodyHash: job.bodyHash, processing: processEvent(core, job) };
    // One with other bytes keeps its place: copies of it still have to hear of it.
    if (!running.has(job.key)) running.set(job.key, leader);
    let recorded: Promise<Processed> | undefined;
    try {
      let processed = await leader.processing;
      // The sender delivers a dead event again: somebody wants it run.
      if (processed.outcome.status === 'dead') processed = await revive(job);
      recorded = processed.recorded;
      return { outcome: processed.outcome, led: true };
    } finally {
      // Still running behind its reply: until it has settled, a copy hears what this delivery heard.
      if (recorded) background(recorded.finally(() => leave(job.key, leader)));
      else leave(job.key, leader);
    }
  }

  function leave(key: string, leader: Leader): void {
    if (running.get(key) === leader) running.delete(key);
  }

  async function revive(job: Job): Promise<Processing> {
    try {
      await core.store.revive(job.key, { steps: 'keep' });
    } catch (cause) {
      throw new WebhookError('store_unavailable', { cause });
    }
    return processEvent(core, job);
  }

  return {
    process(job, background) {
      const leader = running.get(job.key);
      // Other bytes are for the store to judge.
      return leader?.bodyHash === job.bodyHash ? follow(leader) : lead(job, background);
    },
    async idle() {
      await Promise.allSettled(Array.from(running.values(), ({ processing }) => processing));
    },
  };
}

const BUSY: Processed = { status: 'busy', retryAfterMs: 0 };

async function follow({ processing }: Leader): Promise<Led> {
  const over = new AbortController();
  const late = sleep(DUPLICATE_WAIT_MS, over.signal).then(
    () => BUSY,
    () => BUSY,
  );
  try {
    const outcome = await Promise.race([processing.then((led) => led.outcome), late]);
    // One more duplicate for the metrics; what else became of the event is counted where it ran.
    if (outcome.status === 'processed') return { outcome: { status: 'duplicate' }, led: true };
    return { outcome, led: false };
  } finally {
    over.abort();
  }
}
