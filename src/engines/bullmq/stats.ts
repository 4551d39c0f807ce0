import type { Queue } from 'bullmq';
import type { QueueStats } from '../../index.ts';
import type { JobData } from './job.ts';

/** How much there is to do, as BullMQ counts. */
export async function statsOf(queue: Queue<JobData, undefined>, kept: Queue<JobData, undefined>): Promise<QueueStats> {
  const [counts, unhandled, oldest] = await Promise.all([
    queue.getJobCounts('wait', 'active', 'delayed', 'failed'),
    kept.getJobCounts('wait'),
    queue.getJobs(['wait'], 0, 0, true),
  ]);
  const { wait = 0, active = 0, delayed = 0, failed = 0 } = counts;
  const sinceMs = oldest[0]?.timestamp;
  return {
    ready: wait,
    active,
    delayed,
    dead: failed,
    unhandled: unhandled.wait ?? 0,
    oldestReadyMs: wait === 0 || sinceMs === undefined ? 0 : Math.max(0, Date.now() - sinceMs),
  };
}
