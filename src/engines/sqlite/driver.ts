import { messageOf } from '../../shared/text.ts';

/** What all drivers take for a `?`. */
export type SqliteValue = string | number | null | Uint8Array;

/** What all drivers offer of a prepared statement. */
export interface SqliteStatement {
  /** The first row. */
  get(...values: SqliteValue[]): unknown;
  /** Runs it for its effect. */
  run(...values: SqliteValue[]): unknown;
  /** Every row. */
  all(...values: SqliteValue[]): unknown[];
}

/** An open database of libsql, better-sqlite3, `node:sqlite` (`DatabaseSync`) or `bun:sqlite`. */
export interface SqliteDatabase {
  /** Runs statements that return nothing. */
  exec(sql: string): unknown;
  /** Prepares one statement. */
  prepare(sql: string): SqliteStatement;
  /** Closes the file. */
  close(): unknown;
}

type DatabaseClass = new (path: string) => SqliteDatabase;

interface Driver {
  readonly name: string;
  /** The class that opens a path, from what the module exports. */
  find(module: unknown): DatabaseClass;
}

const DRIVERS: readonly Driver[] = [
  { name: 'node:sqlite', find: (module) => (module as { DatabaseSync: DatabaseClass }).DatabaseSync },
  { name: 'better-sqlite3', find: (module) => module as DatabaseClass },
  { name: 'libsql', find: (module) => module as DatabaseClass },
];

/** The first of better-sqlite3 that brings its binaries, and ends a Node older than `NODE_FOR_BETTER_SQLITE3` on loading. */
const BETTER_SQLITE3_WITH_BINARIES = 13;
const NODE_FOR_BETTER_SQLITE3 = 22;

/** How to load a driver, and into which Node: injected by tests. */
export interface DriverLoading {
  readonly load?: (name: string) => unknown;
  /** As in `process.versions.node`. */
  readonly nodeVersion?: string;
}

/**
 * Opens a file with the first driver that is there: `node:sqlite`, better-sqlite3, libsql.
 *
 * @throws TypeError when there is none; whatever the driver throws for a file that it cannot open.
 */
export function openSqliteFile(path: string, loading: DriverLoading = {}): SqliteDatabase {
  const { load = loadFromHere(), nodeVersion = process.versions.node } = loading;
  const nodeMajor = Number.parseInt(nodeVersion, 10);
  const failures: unknown[] = [];
  for (const driver of DRIVERS) {
    let Database: DatabaseClass;
    try {
      refuseCrash(driver.name, nodeMajor, load);
      Database = driver.find(load(driver.name));
    } catch (error) {
      failures.push(error);
      continue;
    }
    return new Database(path);
  }
  const cause = new AggregateError(failures, 'Each driver failed to load.');
  const broken = failures.filter((failure) => !isNotFound(failure)).map((failure) => messageOf(failure).split('\n')[0]);
  const words = [`No SQLite driver loads in Node ${nodeVersion}.`, ...broken, cureFor(nodeMajor), OPEN_IT_YOURSELF];
  throw new TypeError(words.join(' '), { cause });
}

const OPEN_IT_YOURSELF = 'In a bundle, or to be sure of the driver, open the database yourself and pass that.';

function isNotFound(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_UNKNOWN_BUILTIN_MODULE';
}

// Drivers are looked for beside this very file, in either module format; and, since that may be a bundle far from its packages or
// one without an address (CommonJS of esbuild), where the process runs. No bundler sees that: it would try to bundle them.
function loadFromHere(): (name: string) => unknown {
  const { createRequire } = process.getBuiltinModule('node:module');
  const here: string | undefined = import.meta.url;
  const loads = [here, `${process.cwd()}/`].flatMap((place) => (place ? [createRequire(place)] : []));
  return (name) => {
    let missing: unknown;
    for (const load of loads) {
      try {
        return load(name);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        missing ??= error;
      }
    }
    throw missing;
  };
}

// Loading such a driver would take the whole process down, which no `catch` sees.
function refuseCrash(name: string, nodeMajor: number, load: (name: string) => unknown): void {
  if (name !== 'better-sqlite3' || nodeMajor >= NODE_FOR_BETTER_SQLITE3) return;
  const { version } = load('better-sqlite3/package.json') as { readonly version: string };
  if (Number.parseInt(version, 10) >= BETTER_SQLITE3_WITH_BINARIES) {
    throw new TypeError(`better-sqlite3 ${version} crashes Node ${nodeMajor}: it needs Node 22.`);
  }
}

function cureFor(nodeMajor: number): string {
  if (nodeMajor < NODE_FOR_BETTER_SQLITE3) {
    return 'Install libsql 0.5 (`npm install libsql@0.5`), or better-sqlite3 12, which compiles; better-sqlite3 13 and node:sqlite need Node 22.';
  }
  return 'Update to Node 22.13, which has node:sqlite, or install better-sqlite3 13 (`npm install better-sqlite3@13`).';
}

/** Whether a driver threw since another connection holds the lock: each has its own way to say so, and all its words. */
export function isLockedError(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { readonly code?: unknown; readonly errcode?: unknown };
  const isBusyCode = typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code);
  return isBusyCode || errcode === BUSY || /database( table)? is locked/.test(messageOf(error));
}

const BUSY = 5;

/** How many rows a `run` changed. */
export function changesOf(result: unknown): number {
  return Number((result as { readonly changes: number | bigint }).changes);
}

/** A table of SQL with each statement prepared. */
export function prepareAll<K extends string>(db: SqliteDatabase, sql: Readonly<Record<K, string>>) {
  const pairs = Object.entries<string>(sql).map(([name, text]) => [name, db.prepare(text)]);
  return Object.fromEntries(pairs) as Record<K, SqliteStatement>;
}
