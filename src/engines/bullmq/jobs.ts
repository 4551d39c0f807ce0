import type { Queue } from 'bullmq';
import { asking } from '../shared/without-arguments.ts';
import type { EventJob, JobData } from './job.ts';

// A job goes with its event; one that failed for good stays, as its event's row does. The SDK counts the attempts.
const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: false, attempts: 1 } as const;

/** The jobs of a queue, and of the one beside it that keeps what no handler matched. */
export interface Jobs {
  /** Adds a job, unless there is one of this id. */
  add(type: string, data: JobData, id: string): Promise<void>;
  find(id: string): Promise<EventJob | undefined>;
  /** Has a failed job run again. False: it is not failed any more. */
  retry(job: EventJob): Promise<boolean>;
  keepUnhandled(job: EventJob, data: JobData): Promise<void>;
  dropUnhandled(id: string): Promise<void>;
  findUnhandled(id: string): Promise<EventJob | undefined>;
  /** Deletes what no handler has matched for so long, at most so many; returns how many. */
  sweepUnhandled(olderMs: number, most: number): Promise<number>;
  /** So many of them from the oldest on. */
  failed(from: number, count: number): Promise<readonly EventJob[]>;
  unhandled(from: number, count: number): Promise<readonly EventJob[]>;
}

/** @param kept - A queue without workers. */
export function createJobs(queue: Queue<JobData, undefined>, kept: Queue<JobData, undefined>): Jobs {
  const page = async (of: Queue<JobData, undefined>, state: 'failed' | 'wait', from: number, count: number) => {
    const jobs = await of.getJobs([state], from, from + count - 1, true);
    // A job that ended meanwhile.
    return jobs.filter((job) => job !== undefined && job.data?.key !== undefined) as EventJob[];
  };
  return {
    async add(type, data, id) {
      await asking(() => queue.add(type, data, { ...JOB_OPTIONS, jobId: id }));
    },
    find: (id) => queue.getJob(id) as Promise<EventJob | undefined>,
    async retry(job) {
      try {
        await job.retry('failed');
        return true;
      } catch (error) {
        if (await job.isFailed()) throw error;
        return false;
      }
    },
    async keepUnhandled(job, data) {
      await asking(() => kept.add(job.name, data, { ...JOB_OPTIONS, jobId: job.id ?? '' }));
    },
    async dropUnhandled(id) {
      await (await kept.getJob(id))?.remove();
    },
    findUnhandled: (id) => kept.getJob(id) as Promise<EventJob | undefined>,
    async sweepUnhandled(olderMs, most) {
      const swept = await asking(() => kept.clean(olderMs, most, 'wait'));
      return swept.length;
    },
    failed: (from, count) => page(queue, 'failed', from, count),
    unhandled: (from, count) => page(kept, 'wait', from, count),
  };
}
