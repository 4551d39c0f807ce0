import { createConnection, type SqliteConnection } from './connection.ts';
import { openSqliteFile, type SqliteDatabase } from './driver.ts';

// Waits for other processes first, so that the switch to WAL does not fail while they switch.
const SET_UP = ['PRAGMA busy_timeout = 5000', 'PRAGMA journal_mode = WAL', 'PRAGMA synchronous = FULL'];
const MAIN_FILE = "SELECT seq, file FROM pragma_database_list WHERE name = 'main'";

const connections = new WeakMap<SqliteDatabase, SqliteConnection>();

/**
 * The connection of a database, or of a file that is opened for it.
 *
 * @throws TypeError for what is neither, and for one that gives integers as BigInt; what the driver throws when it cannot
 *   open the file or set it up.
 */
export function connectSqlite(dbOrPath: SqliteDatabase | string): SqliteConnection {
  if (typeof dbOrPath === 'string') {
    if (!dbOrPath) throw new TypeError('Pass the path of a SQLite file, or an open database.');
    return setUp(openSqliteFile(dbOrPath), true);
  }
  if (typeof dbOrPath?.exec !== 'function' || typeof dbOrPath.prepare !== 'function') {
    throw new TypeError('Pass a database of libsql, better-sqlite3, node:sqlite or bun:sqlite, or the path of a file.');
  }
  let connection = connections.get(dbOrPath);
  if (!connection) {
    connection = setUp(dbOrPath, false);
    connections.set(dbOrPath, connection);
  }
  return connection;
}

function setUp(db: SqliteDatabase, owned: boolean): SqliteConnection {
  try {
    for (const pragma of SET_UP) db.exec(pragma);
    const main = db.prepare(MAIN_FILE).get() as { readonly seq: unknown; readonly file: string | null };
    // A BigInt never equals a number: a finished event would look unfinished, and run again.
    if (typeof main.seq !== 'number') {
      throw new TypeError('This database gives integers as BigInt: pass one that does not, or the path of the file.');
    }
    return createConnection(db, Boolean(main.file), owned);
  } catch (error) {
    if (owned) db.close();
    throw error;
  }
}
