import { createHash, randomUUID } from 'node:crypto';
import { check } from '../../shared/check.ts';
import type { PostgresClient } from '../postgres/driver.ts';

/** How pg-boss runs its SQL in somebody else's transaction. */
export interface BossDatabase {
  /** Runs one statement. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Where a call of pg-boss runs its SQL. */
export interface BossOptions {
  readonly db?: BossDatabase;
}

/** A job as pg-boss gives it out. */
export interface BossJob {
  readonly id: string;
  readonly data: unknown;
}

/** A started `PgBoss` of pg-boss 10 or 12. */
export interface PgBossClient {
  /** Makes a queue. */
  createQueue(name: string, options?: never): Promise<void>;
  /** Reads a queue; null where there is none. */
  getQueue(name: string): Promise<object | null>;
  /** Takes jobs. */
  fetch(name: string, options: BossOptions & { batchSize: number }): Promise<BossJob[]>;
  /** Ends jobs that are done. */
  complete(name: string, ids: string[], data: object, options: BossOptions): Promise<unknown>;
  /** Ends jobs that failed. */
  fail(name: string, ids: string[], data: object, options: BossOptions): Promise<unknown>;
  /** Deletes jobs. */
  deleteJob(name: string, ids: string[], options: BossOptions): Promise<unknown>;
  /** Reads a job. */
  getJobById(name: string, id: string, options: never): Promise<{ readonly state: string } | null>;
  /** Is told when its maintenance fails. */
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** A job that is sent for an event. */
export interface SentJob {
  readonly id: string;
  /** The number of the event's row. */
  readonly eventId: number;
  /** When workers may take it, from now. */
  readonly inMs: number;
}

/** What a queue asks of pg-boss, all of it in a transaction of the queue's own. */
export interface Boss {
  /** Makes the queue where it is missing. Meanwhile nobody else of this SDK does, as `tx` sees to. */
  createQueue(tx: PostgresClient): Promise<void>;
  send(jobs: readonly SentJob[], tx: PostgresClient): Promise<void>;
  /** Takes jobs that are due: each with the number of its event's row. */
  fetch(most: number, tx: PostgresClient): Promise<readonly { readonly id: string; readonly eventId: number }[]>;
  complete(ids: readonly string[], tx: PostgresClient): Promise<void>;
  fail(ids: readonly string[], error: string, tx: PostgresClient): Promise<void>;
  remove(ids: readonly string[], tx: PostgresClient): Promise<void>;
  /** Whether a job is still to be fetched. */
  isWaiting(id: string, tx: PostgresClient): Promise<boolean>;
}

type Insert10 = (jobs: object[], options: BossOptions) => Promise<unknown>;
type Insert12 = (name: string, jobs: object[], options: BossOptions & { returnId: true }) => Promise<unknown>;

const METHODS = ['createQueue', 'getQueue', 'insert', 'fetch', 'complete', 'fail', 'deleteJob', 'getJobById', 'on'];
const LOCK = 'SELECT pg_advisory_xact_lock(hashtext($1))';
// The queue takes over from a worker that died by itself; pg-boss is not to fail the job of one that takes long.
const EXPIRE_SECONDS = 23 * 3600;

/** @throws TypeError for what is no pg-boss, or one of another version. */
export function bossOn(given: PgBossClient, namespace: string): Boss {
  const boss = (Object(given) ?? {}) as PgBossClient & { insert: Insert10 & Insert12; redrive?: unknown };
  const isBoss = METHODS.every((method) => typeof (boss as never)[method] === 'function');
  check(isBoss, 'The first argument of pgBossQueue', `a started PgBoss of pg-boss ${fitVersion()}`);
  const isNew = typeof boss.redrive === 'function';
  const name = queueName(namespace);
  const within = (tx: PostgresClient) => databaseOf(tx);

  return {
    async createQueue(tx) {
      // Making a queue makes a table, which waits for everybody who uses the others.
      await tx.query(LOCK, ['pathfinder webhooks: queues of pg-boss']);
      if (!(await boss.getQueue(name))) await boss.createQueue(name);
    },

    async send(jobs, tx) {
      if (jobs.length === 0) return;
      const sent = jobs.map(({ id, eventId, inMs }) => ({
        ...(!isNew && { name }),
        id,
        data: { id: eventId },
        // Seconds as an interval of PostgreSQL takes them, fractions and all.
        ...(inMs > 0 && { startAfter: isNew ? inMs / 1000 : String(inMs / 1000) }),
        retryLimit: 0,
        expireInSeconds: EXPIRE_SECONDS,
      }));
      const { db, rowCount } = within(tx);
      if (isNew) await boss.insert(name, sent, { db, returnId: true });
      else await boss.insert(sent, { db });
      // pg-boss 10 takes no job for a queue that is not there, and says nothing.
      if (rowCount() === jobs.length) return;
      throw new Error(`pg-boss did not take the jobs: its queue ${name} may have been deleted.`);
    },

    async fetch(most, tx) {
      const { db, ended } = within(tx);
      const jobs = await boss.fetch(name, { db, batchSize: most });
      // pg-boss 10 makes an empty list of every error.
      ended();
      return jobs.map(({ id, data }) => ({ id, eventId: Number((data as { readonly id?: unknown } | null)?.id) }));
    },

    complete: (ids, tx) => settle(ids, tx, (list, options) => boss.complete(name, list, {}, options)),
    fail: (ids, error, tx) => settle(ids, tx, (list, options) => boss.fail(name, list, { error }, options)),
    remove: (ids, tx) => settle(ids, tx, (list, options) => boss.deleteJob(name, list, options)),

    async isWaiting(id, tx) {
      const job = await boss.getJobById(name, id, { db: within(tx).db } as never);
      return job?.state === 'created' || job?.state === 'retry';
    },
  };

  async function settle(
    ids: readonly string[],
    tx: PostgresClient,
    work: (ids: string[], options: BossOptions) => Promise<unknown>,
  ): Promise<void> {
    if (ids.length > 0) await work([...ids], { db: within(tx).db });
  }
}

/** A name for a job, so that its event's row can say which one brings it. */
export function newJobId(): string {
  return randomUUID();
}

/** Runs the SQL of pg-boss in a transaction, and notes what became of it. */
function databaseOf(tx: PostgresClient) {
  let failure: unknown;
  let rowCount: number | null = null;
  const db: BossDatabase = {
    async executeSql(text, values) {
      try {
        const result = await tx.query(text, values);
        rowCount = result.rowCount;
        return result;
      } catch (error) {
        failure = error;
        throw error;
      }
    },
  };
  return {
    db,
    rowCount: () => rowCount,
    ended() {
      if (failure !== undefined) throw failure;
    },
  };
}

// pg-boss names queues with letters, digits, underscores, hyphens and dots.
function queueName(namespace: string): string {
  if (/^[\w-]{1,40}$/.test(namespace)) return `pathfinder-webhooks-${namespace}`;
  return `pathfinder-webhooks-${createHash('sha256').update(namespace).digest('hex').slice(0, 40)}`;
}

function fitVersion(): string {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNew = major > 22 || (major === 22 && minor >= 12);
  return isNew ? '12 or 10 (`npm install pg-boss@12`)' : '10 (`npm install pg-boss@10`; 12 needs Node 22.12)';
}
