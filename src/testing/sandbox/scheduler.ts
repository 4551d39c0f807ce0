/** A delivery, over one or more attempts. @internal */
export interface Job {
  /** Milliseconds on the clock of `performance.now()`; not before. */
  readonly dueAtMs: number;
  /** How many later jobs may overtake it. */
  readonly yieldsTo: number;
  /** Makes one attempt. Never rejects; resolves to the milliseconds until the next one, or to nothing when there is none. */
  run(): Promise<number | undefined>;
}

/** @internal */
export interface Scheduler {
  add(job: Job): void;
  /** Resolves when nothing is waiting or running. Holds nothing back any longer until then. */
  idle(): Promise<void>;
  /** Forgets what is waiting; resolves when what runs has ended. */
  close(): Promise<void>;
}

interface Waiting {
  readonly job: Job;
  /** The job's place in the line, from 1; with a half if it yields, so that it stands behind the job that it yields to. */
  readonly place: number;
  dueAtMs: number;
  readonly heldUntilMs: number;
}

// How long a job that yields waits for somebody to overtake it.
const MOST_HELD_MS = 50;

/** Runs up to `concurrency` jobs at a time, each when it is due, in the order of the line. @internal */
export function createScheduler(concurrency: number): Scheduler {
  const line = new Set<Waiting>();
  const whenIdle = new Set<() => void>();
  let running = 0;
  let added = 0;
  let planned = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  // Jobs start a turn later, so that all jobs of one turn are in the line before the first one starts.
  function plan(): void {
    if (planned) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      startWhatIsReady();
    });
  }

  function startWhatIsReady(): void {
    clearTimeout(timer);
    while (running < concurrency) {
      const next = firstReady();
      if (!next) break;
      line.delete(next);
      running++;
      void runOne(next);
    }
    if (running === 0 && line.size === 0) settle();
    else if (running < concurrency && line.size > 0) timer = setTimeout(startWhatIsReady, msUntilNext());
  }

  function firstReady(): Waiting | undefined {
    const nowMs = performance.now();
    let first: Waiting | undefined;
    for (const waiting of line) {
      if (readyAtMs(waiting) <= nowMs && (!first || waiting.place < first.place)) first = waiting;
    }
    return first;
  }

  function readyAtMs({ place, dueAtMs, heldUntilMs }: Waiting): number {
    const held = Math.floor(place) > added && whenIdle.size === 0;
    return held ? Math.max(dueAtMs, heldUntilMs) : dueAtMs;
  }

  function msUntilNext(): number {
    const nextMs = Math.min(...[...line].map(readyAtMs));
    return Math.max(0, Math.ceil(nextMs - performance.now()));
  }

  async function runOne(waiting: Waiting): Promise<void> {
    const retryInMs = await waiting.job.run();
    running--;
    if (retryInMs !== undefined && !closed) line.add({ ...waiting, dueAtMs: performance.now() + retryInMs });
    plan();
  }

  function settle(): void {
    for (const resolve of whenIdle) resolve();
    whenIdle.clear();
  }

  function idle(): Promise<void> {
    const settled = new Promise<void>((resolve) => whenIdle.add(resolve));
    plan();
    return settled;
  }

  return {
    add(job) {
      added++;
      const place = added + (job.yieldsTo > 0 ? job.yieldsTo + 0.5 : 0);
      line.add({ job, place, dueAtMs: job.dueAtMs, heldUntilMs: job.dueAtMs + MOST_HELD_MS });
      plan();
    },
    idle,
    close() {
      closed = true;
      line.clear();
      return idle();
    },
  };
}
