import type { SqliteConnection } from './connection.ts';
import { prepareAll, type SqliteDatabase } from './driver.ts';
import { clockStatements, sqliteSchema } from './store-sql.ts';

// A wall clock that is more than this away from where it should be was set; what is less is slewing and rounding.
const STEP_MS = 1000;
const SAVE_EVERY_MS = 1000;

/** The clock that all processes on one file share, for leases, delays and retentions. */
export interface SqliteClock {
  /** Milliseconds, to begin with those of Unix; from then on only what has really passed, whatever is done to the wall clock. */
  now(): number;
  /** The time on the wall clock for a time of this clock. */
  toWall(ms: number): number;
  fromWall(ms: number): number;
}

interface ClockRow {
  readonly offset_ms: number;
  readonly last_ms: number;
}

const clocks = new WeakMap<SqliteConnection, Map<string, SqliteClock>>();

/** Makes the tables where they are missing, and gives their clock: `now` as it is, where there is one. */
export function openClock(connection: SqliteConnection, tablePrefix: string, now?: () => number): SqliteClock {
  createTables(connection.db, tablePrefix);
  if (now) return { now, toWall: (ms) => ms, fromWall: (ms) => ms };
  const ofConnection = clocks.get(connection) ?? new Map<string, SqliteClock>();
  clocks.set(connection, ofConnection);
  const clock = ofConnection.get(tablePrefix) ?? createClock(connection, tablePrefix);
  ofConnection.set(tablePrefix, clock);
  return clock;
}

function createTables(db: SqliteDatabase, tablePrefix: string): void {
  // The last of them: who finds it there needs no turn among the writers.
  if (db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(`${tablePrefix}clock`)) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(sqliteSchema(tablePrefix));
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/**
 * The wall clock plus an offset, which takes back each step of the wall clock. Each process sees a step by itself, beside the
 * monotonic clock; the first one writes the new offset down for processes that start later.
 */
function createClock(connection: SqliteConnection, tablePrefix: string): SqliteClock {
  const sql = prepareAll(connection.db, clockStatements(tablePrefix));
  const read = () => (sql.readClock.get() ?? undefined) as ClockRow | undefined;
  let wallMs = Date.now();
  let monotonicMs = performance.now();
  let { offset_ms: offsetMs, last_ms: lastMs } = read() ?? { offset_ms: 0, last_ms: 0 };
  // The wall clock was set back while no process was there to see it: the time goes on from where it was.
  let unsaved = lastMs - (wallMs + offsetMs) > STEP_MS;
  if (unsaved) offsetMs = lastMs - wallMs;
  let savedMs = Number.NEGATIVE_INFINITY;

  function now(): number {
    const wallPassedMs = Date.now() - wallMs;
    const passedMs = performance.now() - monotonicMs;
    const stepMs = wallPassedMs - passedMs;
    // A monotonic clock that runs backwards is one that a test has put in the place of the other: it tells nothing.
    if (passedMs >= 0 && Math.abs(stepMs) > STEP_MS) {
      offsetMs -= Math.round(stepMs);
      unsaved = true;
    }
    wallMs += wallPassedMs;
    monotonicMs += passedMs;
    return wallMs + offsetMs;
  }

  // Each write transaction begins with it, so that it costs no commit of its own. Until the next one the time that is written
  // down is up to a second old: a process that starts after the wall clock was set back repeats that second.
  function save(): void {
    const nowMs = now();
    if (!unsaved && nowMs - savedMs < SAVE_EVERY_MS) return;
    // The row is absent at first, and after somebody has emptied the tables.
    const written = read()?.offset_ms ?? Number.NaN;
    const apartMs = Math.abs(written - offsetMs);
    // This process has not seen the step that another one wrote down: it started after it.
    if (apartMs > STEP_MS && !unsaved) offsetMs = written;
    const agrees = apartMs <= STEP_MS;
    sql.saveClock.run(agrees ? written : offsetMs, wallMs + offsetMs);
    // A transaction may be rolled back, so only what is read again counts as saved.
    if (agrees) unsaved = false;
    savedMs = wallMs + offsetMs;
  }

  connection.onBegin(save);
  const aheadMs = () => now() - wallMs;
  return { now, toWall: (ms) => ms - aheadMs(), fromWall: (ms) => ms + aheadMs() };
}
