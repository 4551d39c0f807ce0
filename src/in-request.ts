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

export function createInRequest(core: Core): InRequest {
  // Events at work in this process: bounded by the requests that are open.
  const running = new Map<string, Promise<Processing>>();

  async function lead(job: Job, background: (work: Promise<unknown>) => void): Promise<Led> {
    const processing = processEvent(core, job);
    running.set(job.key, processing);
    let recorded: Promise<Processed> | undefined;
    try {
      const processed = await processing;
      recorded = processed.recorded;
      // The sender delivers a dead event again: somebody wants it run.
      if (processed.outcome.status === 'dead') return { outcome: await revive(job), led: true };
      return { outcome: processed.outcome, led: true };
    } finally {
      if (recorded) {
        // Still running behind its reply: until it has settled, a copy hears what this delivery heard.
        background(recorded.finally(() => running.delete(job.key)));
      } else running.delete(job.key);
    }
  }

  async function follow(job: Job, leader: Promise<Processing>): Promise<Led> {
    // Asked first, since the store knows at once if the bytes are others.
    const { outcome } = await processEvent(core, job);
    if (outcome.status !== 'busy') return { outcome, led: true };
    const over = new AbortController();
    const late = sleep(DUPLICATE_WAIT_MS, over.signal).then(
      () => outcome,
      () => outcome,
    );
    const heard = leader.then(
      (led) => led.outcome,
      () => outcome,
    );
    const first = await Promise.race([heard, late]);
    over.abort();
    return { outcome: first.status === 'processed' ? { status: 'duplicate' } : first, led: false };
  }

  async function revive(job: Job): Promise<Processed> {
    try {
      await core.store.revive(job.key, { steps: 'keep' });
    } catch (cause) {
      throw new WebhookError('store_unavailable', { cause });
    }
    const { outcome } = await processEvent(core, job);
    return outcome.status === 'dead' ? { status: 'busy', retryAfterMs: 0 } : outcome;
  }

  return {
    process(job, background) {
      const leader = running.get(job.key);
      return leader ? follow(job, leader) : lead(job, background);
    },
    async idle() {
      await Promise.allSettled(running.values());
    },
  };
}
