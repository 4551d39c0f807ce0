import type { Queue } from 'bullmq';
import type { JobData } from './job.ts';

// A wall clock that is more than this away from where it should be was set; what is less is slewing and rounding.
const STEP_MS = 1000;
const PAGE = 100;

/**
 * BullMQ puts jobs off until a time of the host's wall clock. When that is set back, they would wait for it to catch up: each job
 * that was put off at a time which is still to come is brought forward, and the store says how long its event really waits.
 *
 * @returns What looks for such jobs, to be called often: it does so at first, and after each step back.
 */
export function watchClock(queue: Queue<JobData, undefined>): () => Promise<void> {
  let offsetMs = Number.POSITIVE_INFINITY;

  async function bringForward(): Promise<void> {
    // The jobs that wait for the longest come first, since such jobs are among them.
    for (let from = 0; ; from += PAGE) {
      const jobs = await queue.getJobs(['delayed'], from, from + PAGE - 1, false);
      const early = jobs.filter((job) => job !== undefined && (job.processedOn ?? 0) > Date.now() + STEP_MS);
      // A job that somebody else has brought forward meanwhile.
      await Promise.all(early.map((job) => job.promote().catch(() => undefined)));
      if (jobs.length < PAGE) return;
    }
  }

  return async () => {
    const nowOffsetMs = Date.now() - performance.now();
    const wasSetBack = nowOffsetMs < offsetMs - STEP_MS;
    if (wasSetBack) await bringForward();
    offsetMs = nowOffsetMs;
  };
}
