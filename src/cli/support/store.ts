import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { openSqliteFile, type SqliteDatabase } from '../../engines/sqlite/driver.ts';
import { sqliteQueue } from '../../engines/sqlite/index.ts';
import type { WebhookQueue } from '../../index.ts';
import { messageOf } from '../../shared/text.ts';
import type { Context } from './context.ts';
import { CliError } from './failure.ts';
import { fileProblem } from './files.ts';

const MAGIC = 'SQLite format 3\0';
const TABLE = 'pathfinder_webhook_event';

// The failure of the call tells what is wrong.
const SILENT = { warn: () => undefined, error: () => undefined };

/** Which queue to open. */
export interface StoreOptions {
  readonly store?: string;
  readonly namespace?: string;
}

/** Opens the queue of a store, and closes it afterwards. @throws CliError for a file that is none: nothing is created. */
export async function withQueue<T>(
  { terminal, settings }: Context,
  { store, namespace }: StoreOptions,
  work: (queue: WebhookQueue) => Promise<T>,
): Promise<T> {
  const given = store ?? settings.find('PATHFINDER_WEBHOOK_STORE')?.value;
  if (!given) {
    throw new CliError(
      'setup',
      'store_missing',
      'Which store? None is named.',
      "Pass --store <path>: the SQLite file of your app's queue, or set PATHFINDER_WEBHOOK_STORE.",
    );
  }
  if (/^[a-z]{2,}:/i.test(given) && !given.startsWith('sqlite:')) {
    throw new CliError(
      'usage',
      'store_unknown',
      `There is no store of the kind ${given.split(':')[0]}.`,
      'Pass the path of a SQLite file.',
    );
  }
  const path = resolve(terminal.cwd, given.replace(/^sqlite:(\/\/(?=\/))?/, ''));
  const db = openDatabase(path, given);
  try {
    return await work(sqliteQueue(db, { ...(namespace !== undefined && { namespace }), logger: SILENT }));
  } catch (error) {
    // A TypeError is about what was asked for, and a failure of the command has its own cure; the rest is the database's.
    if (error instanceof CliError || error instanceof TypeError || terminal.signal.aborted) throw error;
    throw notAStore(given, messageOf(error));
  } finally {
    db.close();
  }
}

function openDatabase(path: string, shown: string): SqliteDatabase {
  if (!isSqlite(path, shown)) throw notAStore(shown, 'it is no SQLite database');
  const db = openWithDriver(path);
  let why = 'no handler has used it as its queue or store';
  try {
    const found = db
      .prepare("SELECT count(*) AS found FROM sqlite_master WHERE type = 'table' AND name = ?")
      .get(TABLE);
    if (Number((found as { found: number | bigint }).found) === 1) return db;
  } catch (error) {
    why = messageOf(error);
  }
  db.close();
  throw notAStore(shown, why);
}

function openWithDriver(path: string): SqliteDatabase {
  try {
    return openSqliteFile(path);
  } catch (error) {
    const [, cause = '', cure = ''] = /^(.*?\.) (.*)$/s.exec(messageOf(error)) ?? [];
    throw new CliError('setup', 'no_sqlite_driver', cause || messageOf(error), cure || 'Check the file.');
  }
}

function isSqlite(path: string, shown: string): boolean {
  try {
    const file = openSync(path, 'r');
    const start = Buffer.alloc(MAGIC.length);
    readSync(file, start);
    closeSync(file);
    return start.toString('latin1') === MAGIC;
  } catch (error) {
    throw notAStore(shown, fileProblem(error));
  }
}

function notAStore(shown: string, why: string): CliError {
  const fix = "Pass the path that your app's sqliteQueue has.";
  return new CliError('setup', 'store_unreadable', `${shown} is no store: ${why}.`, fix);
}
