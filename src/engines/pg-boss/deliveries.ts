import type { PostgresClient } from '../postgres/driver.ts';
import { acquired, type ClaimedRow } from '../postgres/events.ts';
import { type ClaimedDelivery, runnableOf, runsAlone } from '../shared/claimed-delivery.ts';
import { type BodyRow, readBody } from '../shared/kept-body.ts';
import type { Room } from '../shared/work-source.ts';
import { newJobId, type SentJob } from './boss.ts';
import type { QueueTools } from './tools.ts';

const MOST_REPAIRED = 100;
const MOST_LOOKED_AT = 20;

interface FetchedRow extends BodyRow {
  readonly job_id: string;
  readonly pending: boolean;
  readonly wait_ms: number;
  readonly claims: number;
  readonly failures: number;
  readonly body_hash: string;
}

export interface DeliveriesOptions {
  readonly namespace: string;
  readonly leaseMs: number;
}

/** What a queue does with its jobs and their rows. */
export interface Deliveries {
  /** Fetches jobs and claims their events in one transaction. One that has to run alone comes by itself, and only when idle. */
  take(room: Room): Promise<readonly ClaimedDelivery[]>;
  /** Sends jobs for events whose worker died, or whose job is gone; returns how many. */
  repair(): Promise<number>;
}

/** Rolls the fetch back, for another one of so many jobs. */
class TooMany extends Error {
  readonly most: number;

  constructor(most: number) {
    super('Fewer jobs are to be taken.');
    this.most = most;
  }
}

export function createDeliveries(
  { session, sql, boss, events }: QueueTools,
  { namespace, leaseMs }: DeliveriesOptions,
): Deliveries {
  async function takeAtMost(most: number, isIdle: boolean): Promise<readonly ClaimedDelivery[]> {
    return session.begin(async (tx) => {
      const jobs = await boss.fetch(most, tx);
      if (jobs.length === 0) return [];
      const ids = jobs.map(({ eventId }) => eventId).filter(Number.isSafeInteger);
      const rows = await session.run<FetchedRow>(sql.fetched, [ids, namespace], tx);
      const current = rows.filter(({ pending, job_id }) => pending && jobs.some(({ id }) => id === job_id));
      const due = current.filter(({ wait_ms }) => wait_ms <= 0);
      const runnable = runnableOf(due, isIdle);
      if (runnable.length < due.length) throw new TooMany(runnable.length);
      const later = current.filter(({ wait_ms }) => wait_ms > 0);
      await putOff(later, tx);
      const kept = new Set(due.map(({ job_id }) => job_id));
      // A job whose event has another one, or needs none any more.
      await boss.remove(
        jobs.map(({ id }) => id).filter((id) => !kept.has(id)),
        tx,
      );
      return claim(runnable, tx);
    });
  }

  async function putOff(rows: readonly FetchedRow[], tx: PostgresClient): Promise<void> {
    const jobs = rows.map(({ id, wait_ms }) => ({ id: newJobId(), eventId: id, inMs: wait_ms }));
    await send(jobs, tx);
  }

  async function send(jobs: readonly SentJob[], tx: PostgresClient): Promise<void> {
    for (const { id, eventId } of jobs) await session.run(sql.setJob, [eventId, id], tx);
    await boss.send(jobs, tx);
  }

  async function claim(rows: readonly FetchedRow[], tx: PostgresClient): Promise<readonly ClaimedDelivery[]> {
    if (rows.length === 0) return [];
    const claimedAtMs = performance.now();
    const token = events.newToken();
    const values = [rows.map(({ id }) => id), token, leaseMs];
    const claimed = await session.run<ClaimedRow & { readonly id: number }>(sql.claim, values, tx);
    const claims = new Map(claimed.map((row) => [row.id, acquired(row, token)]));
    return rows.flatMap((row) => {
      const one = claims.get(row.id);
      if (!one) return [];
      const delivery = { ...readBody(row), bodyHash: row.body_hash, traceparent: row.traceparent ?? undefined };
      return [{ held: { claim: one, claimedAtMs }, alone: runsAlone(row), delivery }];
    });
  }

  async function freeLapsed(tx: PostgresClient): Promise<number> {
    const rows = await session.run<JobRow>(sql.freeLapsed, [namespace, MOST_REPAIRED], tx);
    await replaceJobs(rows, tx);
    return rows.length;
  }

  // Jobs that somebody deleted, or that pg-boss has given up: only the oldest are looked at, which a backlog cannot hide for ever.
  async function findLost(tx: PostgresClient): Promise<number> {
    const overdue = await session.run<JobRow>(sql.overdue, [namespace, leaseMs, MOST_LOOKED_AT], tx);
    const lost: JobRow[] = [];
    for (const row of overdue) if (row.job_id === null || !(await boss.isWaiting(row.job_id, tx))) lost.push(row);
    await replaceJobs(lost, tx);
    return lost.length;
  }

  async function replaceJobs(rows: readonly JobRow[], tx: PostgresClient): Promise<void> {
    await boss.remove(
      rows.flatMap(({ job_id }) => job_id ?? []),
      tx,
    );
    await send(
      rows.map(({ id }) => ({ id: newJobId(), eventId: id, inMs: 0 })),
      tx,
    );
  }

  return {
    async take(room) {
      for (let most = room.most(); most > 0; ) {
        try {
          return await takeAtMost(most, room.isIdle());
        } catch (error) {
          if (!(error instanceof TooMany)) throw error;
          most = error.most;
        }
      }
      return [];
    },

    repair: () => session.begin(async (tx) => (await freeLapsed(tx)) + (await findLost(tx))),
  };
}

interface JobRow {
  readonly id: number;
  readonly job_id: string | null;
}
