import type { SqliteConnection } from './connection.ts';
import { prepareAll } from './driver.ts';
import { clockStatements } from './store-sql.ts';

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

/** The clock of the tables that have this prefix; `now` as it is, where there is one. */
export function openClock(connection: SqliteConnection, tablePrefix: string, now?: () => number): SqliteClock {
  if (now) return { now, toWall: (ms) => ms, fromWall: (ms) => ms };
  const ofConnection = clocks.get(connection) ?? new Map<string, SqliteClock>();
  clocks.set(connection, ofConnection);
  const clock = ofConnection.get(tablePrefix) ?? createClock(connection, tablePrefix);
  ofConnection.set(tablePrefix, clock);
  return clock;
}

/**
 * The wall clock plus an offset, which takes back each step of the wall clock. Each process sees a step by itself, beside the
 * monotonic clock, and the first one writes the new offset down for processes that start later.
 */
function createClock(connection: SqliteConnection, tablePrefix: string): SqliteClock {
  const sql = prepareAll(connection.db, clockStatements(tablePrefix));
  const read = () => (sql.readClock.get() ?? undefined) as ClockRow | undefined;
  const found = read() ?? { offset_ms: 0, last_ms: 0 };
  let wallMs = Date.now();
  let monotonicMs = performance.now();
  let offsetMs = found.offset_ms;
  // Whether this process has seen a step of which the file does not tell yet.
  let unsaved = false;
  // The offset in the file when it was last read: another one there is from another process.
  let knownMs = found.offset_ms;
  let savedMs = Number.NEGATIVE_INFINITY;

  function step(byMs: number): void {
    offsetMs -= Math.round(byMs);
    unsaved = true;
    // Every write saves the clock. It is tried again at the next one, should this one fail.
    connection.write(() => undefined).catch(() => undefined);
  }

  function now(): number {
    const wallPassedMs = Date.now() - wallMs;
    const passedMs = performance.now() - monotonicMs;
    wallMs += wallPassedMs;
    monotonicMs += passedMs;
    const steppedMs = wallPassedMs - passedMs;
    // A monotonic clock that runs backwards is one that a test has put in the place of the other: it tells nothing.
    if (passedMs >= 0 && Math.abs(steppedMs) > STEP_MS) step(steppedMs);
    return wallMs + offsetMs;
  }

  // Each write transaction begins with it, so that it costs no commit of its own. Until the next one the time that is written
  // down is up to a second old: a process that starts after the wall clock was set back repeats that second.
  function save(): void {
    const nowMs = now();
    if (!unsaved && nowMs - savedMs < SAVE_EVERY_MS) return;
    // The row is absent at first, and after somebody has emptied the tables.
    const writtenMs = read()?.offset_ms ?? knownMs;
    const agrees = Math.abs(writtenMs - offsetMs) <= STEP_MS;
    // A process that has seen no step goes by one that has. Of two that have, the later time counts: the other did not know
    // how much had passed.
    if (!agrees && !unsaved) offsetMs = writtenMs;
    if (!agrees && unsaved && writtenMs !== knownMs) offsetMs = Math.max(writtenMs, offsetMs);
    knownMs = writtenMs;
    savedMs = wallMs + offsetMs;
    sql.saveClock.run(agrees ? writtenMs : offsetMs, savedMs);
    // A transaction may be rolled back, so only what is read again counts as saved.
    if (agrees) unsaved = false;
  }

  connection.onBegin(save);
  // The wall clock was set back while no process was there to see it: the time goes on from where it was.
  const setBackMs = found.last_ms - (wallMs + offsetMs);
  if (setBackMs > STEP_MS) step(-setBackMs);
  const aheadMs = () => now() - wallMs;
  return { now, toWall: (ms) => ms - aheadMs(), fromWall: (ms) => ms + aheadMs() };
}
