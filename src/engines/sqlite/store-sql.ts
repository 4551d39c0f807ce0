import { checkIdentifier } from '../shared/identifier.ts';
import { ACTIVE, DONE, FREE, GIVEN_UP, UNHANDLED } from '../shared/states.ts';

/** Before the names of all tables and indexes, unless `tablePrefix` says otherwise. */
export const DEFAULT_PREFIX = 'pathfinder_webhook_';

/**
 * The tables of `sqliteStore` and `sqliteQueue`, for those who run migrations themselves: the statements may run any
 * number of times. `<prefix>event` is one row for each remembered event or lane, `<prefix>body` what a queue still needs of
 * it, `<prefix>version` the newest version applied to each entity, `<prefix>clock` one row by which all processes tell the time.
 *
 * @param tablePrefix - `A-Z a-z 0-9 _`, at most 63 characters, no digit first. Default `pathfinder_webhook_`.
 * @throws TypeError for another prefix.
 */
export function sqliteSchema(tablePrefix: string = DEFAULT_PREFIX): string {
  const p = checkIdentifier('tablePrefix', tablePrefix);
  // id: never used again once its row is gone, as the address of a dead letter must not be.
  // until_ms: active: end of the lease; free: claimable from; dead: since then.
  // queue: the namespace whose workers run it; due_ms: when they may look at it, absent once there is nothing to run.
  return `
CREATE TABLE IF NOT EXISTS ${p}event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  state INTEGER NOT NULL,
  token TEXT,
  attempt INTEGER NOT NULL,
  claims INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  body_hash TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  held INTEGER NOT NULL,
  queue TEXT,
  due_ms INTEGER,
  expires_ms INTEGER,
  error TEXT,
  steps TEXT
);
CREATE INDEX IF NOT EXISTS ${p}event_due ON ${p}event (queue, due_ms, id) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS ${p}event_dead ON ${p}event (queue, until_ms, id) WHERE ${GIVEN_UP};
CREATE INDEX IF NOT EXISTS ${p}event_unhandled ON ${p}event (queue, until_ms, id) WHERE state = ${UNHANDLED};
CREATE INDEX IF NOT EXISTS ${p}event_expiry ON ${p}event (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${p}body (
  id INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  tenant TEXT,
  created INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  traceparent TEXT,
  headers TEXT NOT NULL,
  keep_until_ms INTEGER,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS ${p}body_kept ON ${p}body (keep_until_ms) WHERE keep_until_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${p}version (
  entity TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ${p}clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  offset_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
);
`;
}

/** How the clock of a file is read and written. */
export function clockStatements(p: string) {
  return {
    readClock: `SELECT offset_ms, last_ms FROM ${p}clock`,
    saveClock: `INSERT INTO ${p}clock (id, offset_ms, last_ms) VALUES (1, ?, ?) ON CONFLICT (id)
      DO UPDATE SET offset_ms = excluded.offset_ms, last_ms = max(last_ms, excluded.last_ms)`,
  };
}

/** What a store does to its rows. Parameters are in the order of the question marks. */
export function storeStatements(p: string) {
  const owned = `key = ? AND token = ? AND state = ${ACTIVE}`;
  const expired = `SELECT id FROM ${p}event WHERE expires_ms <= ? ORDER BY expires_ms, id LIMIT ?`;
  return {
    insertClaimed: `INSERT INTO ${p}event (key, state, token, attempt, claims, failures, body_hash, until_ms, expires_ms, held)
      VALUES (?, ${ACTIVE}, ?, 1, 1, 0, ?, ?, ?, 0) ON CONFLICT (key) DO NOTHING`,
    find: `SELECT * FROM ${p}event WHERE key = ?`,
    claim: `UPDATE ${p}event SET state = ${ACTIVE}, token = ?, attempt = attempt + 1, claims = claims + 1, body_hash = ?,
      until_ms = ?, due_ms = CASE WHEN due_ms IS NOT NULL THEN ? END, expires_ms = CASE WHEN queue IS NULL AND held = 0 THEN ? END, error = ?, steps = ?
      WHERE id = ?`,
    // Rows of a queue that are due. They share the token, which no other claim of any of them has.
    claimDue: `UPDATE ${p}event SET state = ${ACTIVE}, token = ?, attempt = attempt + 1, claims = claims + 1, until_ms = ?, due_ms = ?
      WHERE id IN (SELECT value FROM json_each(?))`,
    extend: `UPDATE ${p}event SET until_ms = ?, due_ms = CASE WHEN due_ms IS NOT NULL THEN ? END,
      expires_ms = CASE WHEN queue IS NULL AND held = 0 THEN ? END WHERE ${owned}`,
    setSteps: `UPDATE ${p}event SET steps = ? WHERE id = ?`,
    complete: `UPDATE ${p}event SET state = ${DONE}, until_ms = 0, held = 0, expires_ms = ?, error = NULL, steps = NULL,
      due_ms = NULL WHERE ${owned}`,
    dropBody: `DELETE FROM ${p}body WHERE id = ?`,
    dropBodyOf: `DELETE FROM ${p}body WHERE id = (SELECT id FROM ${p}event WHERE key = ?)`,
    keepBodyOf: `UPDATE ${p}body SET keep_until_ms = ? WHERE id = (SELECT id FROM ${p}event WHERE key = ?)`,
    release: `UPDATE ${p}event SET state = ${FREE}, claims = claims - ?, failures = failures + ?, until_ms = ?, held = ?, error = ?,
      due_ms = CASE WHEN queue IS NOT NULL THEN ? END, expires_ms = CASE WHEN queue IS NULL THEN ? END WHERE ${owned}`,
    bury: `UPDATE ${p}event SET state = ?, claims = claims - ?, failures = failures + ?, until_ms = ?, error = ?, due_ms = NULL,
      expires_ms = ? WHERE ${owned}`,
    revive: `UPDATE ${p}event SET state = ${FREE}, claims = 0, failures = 0, until_ms = ?, held = 1, error = NULL,
      steps = CASE WHEN ? THEN steps END, expires_ms = NULL, queue = CASE WHEN state <> ${DONE} THEN queue END,
      due_ms = CASE WHEN state <> ${DONE} AND queue IS NOT NULL THEN ? END WHERE id = ?`,
    forget: `DELETE FROM ${p}event WHERE id = ?`,
    forgetOwned: `DELETE FROM ${p}event WHERE ${owned}`,
    latest: `SELECT version FROM ${p}version WHERE entity = ?`,
    advance: `INSERT INTO ${p}version (entity, version) VALUES (?, ?) ON CONFLICT (entity)
      DO UPDATE SET version = excluded.version WHERE excluded.version >= version`,
    sweepKept: `DELETE FROM ${p}body WHERE id IN (SELECT id FROM ${p}body WHERE keep_until_ms <= ? LIMIT ?)`,
    // The body goes before its row does: SQLite gives the numbers of deleted rows to new ones.
    sweepBodies: `DELETE FROM ${p}body WHERE id IN (${expired})`,
    sweep: `DELETE FROM ${p}event WHERE id IN (${expired})`,
  };
}
