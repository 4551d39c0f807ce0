import { setImmediate, setTimeout } from 'node:timers';
import { inOwnContext } from '../../shared/own-context.ts';
import { isLockedError, type SqliteDatabase } from './driver.ts';

const BEGIN = 'BEGIN IMMEDIATE';
// The driver waits for a lock with the whole process; between two tries everything else has its turn.
const BLOCK = 'PRAGMA busy_timeout = 20';
const UNBLOCK = 'PRAGMA busy_timeout = 5000';
const LOCK_POLL_MS = 30;
const MOST_WRITES_PER_COMMIT = 256;
// Writes that fail by themselves are taken out of their group; after so many in a row it is the database that fails.
const MOST_FAULTS = 16;
// Both are kept from before a test fakes them: a commit that waits for a clock which somebody has to turn never comes.
const afterThisTurn = setImmediate;
const afterMs = setTimeout;

/**
 * A database as all stores and queues of this process that were given it share it. A driver has one transaction at a
 * time and no waits inside it, so everything that writes comes through here.
 */
export interface SqliteConnection {
  readonly db: SqliteDatabase;
  /** There is a file behind it. */
  readonly durable: boolean;
  /** Has writes wait at least so long for a lock that another process holds. */
  waitForLocks(ms: number): void;
  /** Has `work` done at the begin of every transaction, inside of it. */
  onBegin(work: () => void): void;
  /** Runs `work` in one transaction with all writes of this turn of the event loop; resolves after its commit. May be run again. */
  write<T>(work: () => T): Promise<T>;
  /** Runs `work` at once, but not inside a transaction that is open. */
  read<T>(work: () => T): Promise<T>;
  /** Runs `work` in a transaction of its own, to which nothing else of this connection is added. */
  transaction<T>(work: (db: SqliteDatabase) => Promise<T>): Promise<T>;
  /** Whether `tx` is the transaction that `transaction` has open. */
  isOpen(tx: unknown): boolean;
  /** Waits for what was begun, and closes the database if it was opened here. */
  close(): Promise<void>;
}

interface Write {
  readonly askedAtMs: number;
  run(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** @param owned - It was opened here, so that it is closed here. */
export function createConnection(db: SqliteDatabase, durable: boolean, owned: boolean): SqliteConnection {
  const writes: Write[] = [];
  const waiting: (() => void)[] = [];
  const beginnings: (() => void)[] = [];
  let lockWaitMs = 0;
  let faults = 0;
  let scheduled = false;
  let inTransaction = false;
  let closed = false;

  function schedule(): void {
    if (scheduled || inTransaction || writes.length === 0) return;
    scheduled = true;
    // The commit comes after everything that this turn of the event loop has read from its sockets.
    inOwnContext(() => afterThisTurn(commitWrites));
  }

  function commitWrites(): void {
    scheduled = false;
    if (inTransaction) return;
    let begun: boolean;
    try {
      begun = tryBegin();
    } catch (error) {
      for (const write of writes.splice(0)) write.reject(error);
      return;
    }
    if (begun) commitGroup(writes.splice(0, MOST_WRITES_PER_COMMIT));
    else waitForLock();
    schedule();
  }

  function waitForLock(): void {
    while (writes[0] && isOverdue(writes[0].askedAtMs)) writes.shift()?.reject(lockedError());
    if (writes.length === 0) return;
    scheduled = true;
    inOwnContext(() => afterMs(commitWrites, LOCK_POLL_MS));
  }

  function commitGroup(group: readonly Write[]): void {
    const results: unknown[] = [];
    let running: Write | undefined;
    try {
      for (const begin of beginnings) begin();
      for (const write of group) {
        running = write;
        results.push(write.run());
      }
      running = undefined;
      db.exec('COMMIT');
    } catch (error) {
      rollBack();
      rejectFaulty(group, running, error);
      return;
    }
    faults = 0;
    for (const [i, write] of group.entries()) write.resolve(results[i]);
  }

  // A write that throws fails no other: those beside it are tried again without it.
  function rejectFaulty(group: readonly Write[], faulty: Write | undefined, error: unknown): void {
    const others = faulty && ++faults <= MOST_FAULTS ? group.filter((write) => write !== faulty) : [];
    for (const write of group) if (!others.includes(write)) write.reject(error);
    if (others.length === 0) faults = 0;
    writes.unshift(...others);
  }

  /** Begins a transaction. False: another process holds the lock. */
  function tryBegin(): boolean {
    try {
      // A database that was passed in waits as it is wont to, whatever its owner does with it.
      if (!owned && durable) db.exec(BLOCK);
      db.exec(BEGIN);
      return true;
    } catch (error) {
      if (isLockedError(error)) return false;
      throw error;
    } finally {
      if (!owned && durable) db.exec(UNBLOCK);
    }
  }

  async function beginAlone(): Promise<void> {
    const askedAtMs = performance.now();
    for (;;) {
      while (inTransaction) await ended();
      refuseClosed();
      if (tryBegin()) break;
      if (isOverdue(askedAtMs)) throw lockedError();
      await new Promise((resolve) => afterMs(resolve, LOCK_POLL_MS));
    }
    inTransaction = true;
  }

  function isOverdue(askedAtMs: number): boolean {
    return performance.now() - askedAtMs >= lockWaitMs;
  }

  function lockedError(): Error {
    return new Error(
      `Another process has held the lock of the SQLite file for over ${lockWaitMs} ms (\`busyTimeoutMs\`).`,
    );
  }

  function rollBack(): void {
    try {
      db.exec('ROLLBACK');
    } catch {
      // SQLite has already rolled back by itself, as it does when the disk is full.
    }
  }

  function refuseClosed(): void {
    if (closed) throw new Error('The SQLite database was closed.');
  }

  function ended(): Promise<void> {
    return new Promise((resolve) => waiting.push(resolve));
  }

  if (owned) db.exec(BLOCK);
  return {
    db,
    durable,

    waitForLocks(ms) {
      lockWaitMs = Math.max(lockWaitMs, ms);
    },

    onBegin: (work) => void beginnings.push(work),

    write<T>(work: () => T) {
      return new Promise<T>((resolve, reject) => {
        refuseClosed();
        writes.push({ askedAtMs: performance.now(), run: work, resolve: resolve as Write['resolve'], reject });
        schedule();
      });
    },

    async read(work) {
      while (inTransaction) await ended();
      refuseClosed();
      return work();
    },

    async transaction(work) {
      await beginAlone();
      try {
        for (const begin of beginnings) begin();
        const result = await work(db);
        db.exec('COMMIT');
        return result;
      } catch (error) {
        rollBack();
        throw error;
      } finally {
        inTransaction = false;
        for (const proceed of waiting.splice(0)) proceed();
        schedule();
      }
    },

    isOpen: (tx) => inTransaction && tx === db,

    async close() {
      while (inTransaction || writes.length > 0) await new Promise((resolve) => afterMs(resolve, 1));
      if (!owned || closed) return;
      closed = true;
      db.close();
    },
  };
}
