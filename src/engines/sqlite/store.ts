import type { WebhookStore } from '../../index.ts';
import { checkNames, duration, type OptionNames, positive } from '../../shared/check.ts';
import { checkIdentifier } from '../shared/identifier.ts';
import { DONE } from '../shared/states.ts';
import { checkNamespace, storeKey } from '../shared/store-key.ts';
import { openClock, type SqliteClock } from './clock.ts';
import { connectSqlite } from './connect.ts';
import type { SqliteConnection } from './connection.ts';
import type { SqliteDatabase } from './driver.ts';
import { type EventRows, isDead, prepareEventRows } from './events.ts';
import { DEFAULT_PREFIX } from './store-sql.ts';
import { createTables } from './tables.ts';

const DAY_MS = 86_400_000;

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** Keeps several endpoints on one file apart. 1 to 64 printable characters. Default `default`. */
  readonly namespace?: string | undefined;
  /** How long a finished id is remembered. Default 7 days. */
  readonly retentionMs?: number | undefined;
  /** How long a claim lasts without a heartbeat. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /**
   * How long a write waits for a lock that another process holds, while everything else in this process goes on; beyond it the
   * call rejects, and the reply is 503. Default 5,000, as `storeTimeoutMs`: raise both together.
   */
  readonly busyTimeoutMs?: number | undefined;
  /** Before the names of the tables; see `sqliteSchema`. Default `pathfinder_webhook_`. */
  readonly tablePrefix?: string | undefined;
  /**
   * Unix milliseconds, for leases, delays and retentions; all processes on one file need the same one. Default: a clock that they
   * share through the file, which starts with the wall clock and which no step of the wall clock moves.
   */
  readonly now?: (() => number) | undefined;
}

/**
 * Remembers events in a SQLite file, which several processes of one machine may share; not for network file systems. Sets
 * `busy_timeout`, WAL and `synchronous = FULL`, makes its tables, and commits what arrives in one turn of the event loop
 * together. Versions of entities (`isStale`) are kept for good.
 *
 * With `{ transaction: true }`, `context.commit` gets the same database: outside of it, a handler that writes to that
 * database in the same turn may have its write rolled back with another's, so use `commit`, or another connection.
 *
 * @param dbOrPath - An open database of libsql, better-sqlite3, `node:sqlite` or `bun:sqlite`, or the path of a file, for which
 *   the first driver that is installed is loaded. `close` closes only what was opened here.
 * @throws TypeError for options that make no sense, and when a path is given and no driver is installed.
 */
export function sqliteStore(dbOrPath: SqliteDatabase | string, options: SqliteStoreOptions = {}): WebhookStore {
  checkNames('sqliteStore', options, SQLITE_STORE_NAMES);
  const { connection, settings } = openSqlite(dbOrPath, readSqliteOptions(options));
  const { now } = settings.clock;
  return storeOver(connection, prepareEventRows(connection, { ...settings, now, keepBodiesMs: 0 }), settings);
}

/** The names of {@link SqliteStoreOptions}. */
export const SQLITE_STORE_NAMES: OptionNames<SqliteStoreOptions> = {
  namespace: true,
  retentionMs: true,
  leaseMs: true,
  busyTimeoutMs: true,
  tablePrefix: true,
  now: true,
};

/** The options with every default in place, but for the clock, which is the file's. */
export interface SqliteOptions {
  readonly namespace: string;
  readonly retentionMs: number;
  readonly leaseMs: number;
  readonly busyTimeoutMs: number;
  readonly tablePrefix: string;
  readonly now: (() => number) | undefined;
}

/** The options with every default in place. */
export interface SqliteSettings extends Omit<SqliteOptions, 'now'> {
  readonly clock: SqliteClock;
}

/** @throws TypeError for options that make no sense. */
export function readSqliteOptions(options: SqliteStoreOptions): SqliteOptions {
  return {
    namespace: checkNamespace(options.namespace ?? 'default'),
    retentionMs: positive('retentionMs', options.retentionMs ?? 7 * DAY_MS),
    leaseMs: duration('leaseMs', options.leaseMs ?? 30_000),
    busyTimeoutMs: duration('busyTimeoutMs', options.busyTimeoutMs ?? 5000),
    tablePrefix: checkIdentifier('tablePrefix', options.tablePrefix ?? DEFAULT_PREFIX),
    now: options.now,
  };
}

/** The database, with its tables and its clock. */
export function openSqlite(dbOrPath: SqliteDatabase | string, { now, ...options }: SqliteOptions) {
  const connection = connectSqlite(dbOrPath);
  connection.waitForLocks(options.busyTimeoutMs);
  createTables(connection.db, options.tablePrefix);
  const settings: SqliteSettings = { ...options, clock: openClock(connection, options.tablePrefix, now) };
  return { connection, settings };
}

/** How a namespace names the rows of its events and entities. */
export function keysIn(namespace: string): (key: string) => string {
  return (key) => storeKey(namespace, key);
}

/** The store over rows that are open already: its own, or those of a queue. */
export function storeOver(connection: SqliteConnection, rows: EventRows, settings: SqliteSettings): WebhookStore {
  const { namespace, retentionMs, leaseMs } = settings;
  const keyOf = keysIn(namespace);

  // A write goes into the transaction that the handler's effect is in, or with all else that this turn of the event loop brings.
  function write<T>(tx: unknown, work: () => T): Promise<T> {
    if (tx === undefined) return connection.write(work);
    if (connection.isOpen(tx)) return new Promise((resolve) => resolve(work()));
    return Promise.reject(new Error('This transaction of the SQLite store is over.'));
  }

  return {
    durable: connection.durable,
    shared: connection.durable,
    retentionMs,
    leaseMs,
    transactions: 'sync',
    claim: (key, options) => connection.write(() => rows.claim(keyOf(key), options)),
    extend: (key, token, forMs) => connection.write(() => rows.extend(keyOf(key), token, forMs)),
    checkpoint: (key, token, step, value, tx) => write(tx, () => rows.checkpoint(keyOf(key), token, step, value)),
    transaction: (work) => connection.transaction(work),
    complete: (key, token, tx) => write(tx, () => rows.complete(keyOf(key), token)),
    fail: (key, token, options) => connection.write(() => rows.fail(keyOf(key), token, options)),
    get: (key) => connection.read(() => rows.get(keyOf(key))),
    revive: (key, { steps }) => connection.write(() => reviveKey(rows, keyOf(key), steps === 'keep')),
    latest: (entity) => connection.read(() => rows.latest(keyOf(entity))),
    advance: (entity, version, tx) => write(tx, () => rows.advance(keyOf(entity), version)),
    sweep: (limit) => connection.write(() => rows.sweep(limit)),
    close: () => connection.close(),
  };
}

function reviveKey(rows: EventRows, key: string, keepSteps: boolean): boolean {
  const row = rows.find(key);
  if (!row || (!isDead(row) && row.state !== DONE) || rows.isExpired(row)) return false;
  rows.revive(row, keepSteps);
  return true;
}
