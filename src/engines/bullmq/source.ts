import { randomUUID } from 'node:crypto';
import type { Job, Worker } from 'bullmq';
import type { WebhookStore, WorkOutcome } from '../../index.ts';
import { describeError } from '../../shared/text.ts';
import type { TakenClaims } from '../shared/taken-claims.ts';
import { asking, withoutArguments } from '../shared/without-arguments.ts';
import type { Room, Taken, WorkSource } from '../shared/work-source.ts';
import { type EventJob, type JobData, type LetterData, toDelivery } from './job.ts';
import type { Jobs } from './jobs.ts';

// The core buries an event that has lost ten claims. Events that run beside it lose theirs too, so they part before that.
const STALLS_TO_RUN_ALONE = 3;
const PUT_OFF_MS = 1000;
// Jobs that come with the end of others, and how long they may wait for a place here before other processes get them.
const MOST_READY = 10;
const READY_MS = 100;

export interface SourceOptions {
  /** BullMQ's own class: it makes jobs of what the end of another one brings along. */
  readonly jobClass: typeof Job;
  readonly worker: () => Worker<JobData, undefined>;
  readonly jobs: Jobs;
  readonly store: WebhookStore;
  readonly claims: TakenClaims;
  readonly lockMs: number;
  /** Looks again, after so long. */
  wakeIn(ms: number): void;
  /** Told that a lock could not be prolonged. */
  report(error: unknown): void;
}

/** Where the workers find jobs. */
export interface JobSource extends WorkSource {
  /** Puts back what it holds and has not given out; takes nothing along any more until it is asked again. */
  close(): Promise<void>;
}

/** A job that this process has the lock of. */
interface Hand {
  readonly job: EventJob;
  readonly token: string;
}

export function createSource(options: SourceOptions): JobSource {
  const { jobClass, worker, jobs, store, claims, lockMs, wakeIn, report } = options;
  const hands = new Set<Hand>();
  const processId = randomUUID();
  let tokens = 0;
  // How many jobs are asked for at once: an empty queue is asked for one.
  let burst = 1;
  // A job that is to run alone, until nothing else runs here.
  let lonely: Hand | undefined;
  // Jobs that came with the end of others.
  const ready: Hand[] = [];
  let isOpen = false;
  let readyTimer: ReturnType<typeof setTimeout> | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;

  function hold(hand: Hand): void {
    hands.add(hand);
    timer ??= setInterval(prolong, lockMs / 3);
  }

  function letGo(hand: Hand): void {
    hands.delete(hand);
    if (hands.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  // A lock that is lost passes the job on: the store's claim decides who runs its event.
  function prolong(): void {
    const all = [...hands];
    const ids = all.map(({ job }) => job.id ?? '');
    worker()
      .extendJobLocks(
        ids,
        all.map(({ token }) => token),
        lockMs,
      )
      .catch(report);
  }

  async function fetch(): Promise<Hand | undefined> {
    const token = `${processId}:${tokens++}`;
    const job = (await worker().getNextJob(token, { block: false })) as EventJob | undefined;
    if (!job) return undefined;
    const hand = { job, token };
    hold(hand);
    return hand;
  }

  async function fetchAll(most: number): Promise<readonly Hand[]> {
    const wanted = Math.min(most, burst);
    const fetched = await Promise.allSettled(Array.from({ length: wanted }, fetch));
    const found = fetched.flatMap((one) => (one.status === 'fulfilled' && one.value ? [one.value] : []));
    burst = found.length === wanted ? burst * 2 : 1;
    const failure = fetched.find((one) => one.status === 'rejected');
    if (failure && found.length === 0) throw failure.reason;
    return found;
  }

  async function take(room: Room): Promise<readonly Taken[]> {
    if (lonely) return room.isIdle() ? takeLonely() : [];
    isOpen = true;
    const here = ready.splice(0, room.most());
    const found = here.length > 0 ? here : await fetchAll(room.most());
    const alone = found.filter(({ job }) => job.stalledCounter >= STALLS_TO_RUN_ALONE);
    if (alone.length === 0) return found.map((hand) => toTaken(hand, false));
    lonely = alone[0];
    await Promise.all(alone.slice(1).map((hand) => putOff(hand, PUT_OFF_MS)));
    const others = found.filter((hand) => !alone.includes(hand));
    return others.length === 0 && room.isIdle() ? takeLonely() : others.map((hand) => toTaken(hand, false));
  }

  function takeLonely(): readonly Taken[] {
    const hand = lonely;
    lonely = undefined;
    return hand ? [toTaken(hand, true)] : [];
  }

  async function putOff(hand: Hand, inMs: number): Promise<void> {
    const { job, token } = hand;
    await end(hand, () => (inMs > 0 ? job.moveToDelayed(Date.now() + inMs, token) : job.moveToWait(token)));
    wakeIn(inMs);
  }

  /** Ends what this process has to do with a job. Somebody else has it when its lock was lost. */
  async function end(hand: Hand, move: () => Promise<unknown>): Promise<void> {
    letGo(hand);
    try {
      await move();
    } catch (error) {
      if (!isLostLock(error)) throw withoutArguments(error);
    }
  }

  async function bury(hand: Hand, error: unknown): Promise<void> {
    const { job, token } = hand;
    const row = await store.get(job.data.key);
    // The sender has delivered the event again, or somebody has replayed it, before its job could be moved.
    if (row && row.state !== 'dead') return putOff(hand, 0);
    const letter: LetterData = {
      reason: row?.reason ?? 'failed',
      failures: row?.failures ?? 0,
      error: row?.error ?? (error === undefined ? '' : describeError(error)),
      failedAtMs: Date.now(),
    };
    const data = { ...job.data, letter };
    if (letter.reason === 'unhandled') {
      await jobs.keepUnhandled(job, data);
      await end(hand, () => job.moveToCompleted(undefined, token, false));
      return;
    }
    await asking(() => job.updateData(data));
    await end(hand, () => job.moveToFailed(new Error(letter.error), token, false));
  }

  async function record(hand: Hand, outcome: WorkOutcome): Promise<void> {
    if (outcome.kind === 'retry') await putOff(hand, outcome.inMs);
    else if (outcome.kind === 'dead') await bury(hand, outcome.error);
    else if (outcome.kind === 'unhandled') await bury(hand, undefined);
    else await complete(hand);
  }

  // The end of a job brings the next one along, which spares a question.
  async function complete(hand: Hand): Promise<void> {
    const { job, token } = hand;
    await end(hand, async () => {
      const next: unknown = await job.moveToCompleted(undefined, token, isOpen && ready.length < MOST_READY);
      const [data, id] = Array.isArray(next) ? next : [];
      if (data) await keepReady({ job: jobClass.fromJSON(worker(), data, id) as EventJob, token });
    });
  }

  async function keepReady(hand: Hand): Promise<void> {
    hold(hand);
    if (!isOpen) return putOff(hand, 0);
    ready.push(hand);
    clearTimeout(readyTimer);
    readyTimer = setTimeout(() => giveBackReady().catch(report), READY_MS);
    wakeIn(0);
  }

  async function giveBackReady(): Promise<void> {
    clearTimeout(readyTimer);
    await Promise.all(ready.splice(0).map((hand) => putOff(hand, 0)));
  }

  function toTaken(hand: Hand, alone: boolean): Taken {
    const { job } = hand;
    const { key } = job.data;
    claims.begin(key);
    return {
      delivery: toDelivery(job.data),
      attempt: job.attemptsStarted,
      alone,
      async record(outcome) {
        claims.end(key);
        // A run that was given back has no say any more.
        if (hands.has(hand)) await record(hand, outcome);
      },
      async giveBack() {
        const token = claims.end(key);
        if (token !== undefined) await store.fail(key, token, { retryInMs: 0 });
        if (hands.has(hand)) await putOff(hand, 0);
      },
    };
  }

  return {
    take,
    dueInMs: () => Number.POSITIVE_INFINITY,
    async close() {
      isOpen = false;
      await giveBackReady();
      const alone = lonely;
      lonely = undefined;
      if (alone) await putOff(alone, 0);
    },
  };
}

// BullMQ says so with numbers: https://docs.bullmq.io/guide/jobs/stalled
function isLostLock(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return (
    [-1, -2, -3, -6].includes(code as number) ||
    /Missing (lock|key)|Lock mismatch|not in the active/.test(String(message))
  );
}
