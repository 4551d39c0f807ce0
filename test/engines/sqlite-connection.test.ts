import { setTimeout as delay } from 'node:timers/promises';
import { WebhookHandler, type WebhookStore } from '@pathfinder/webhooks';
import { type SqliteDatabase, sqliteQueue, sqliteSchema, sqliteStore } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET } from '../support/deliver.ts';
import { databaseFolder, openDatabase } from '../support/sqlite.ts';
import { inDialect, SAFE_INTEGERS } from '../support/sqlite-dialects.ts';

const folder = databaseFolder();
let files = 0;
const newFile = () => folder.file(`${files++}.db`);
const CLAIM = { leaseMs: 60_000, bodyHash: 'h' };

/** A database that notes what is asked of it. */
function observed(db: SqliteDatabase) {
  const log: string[] = [];
  const watched: SqliteDatabase = {
    exec(sql) {
      log.push(sql.trim().split(' ')[0] ?? '');
      return db.exec(sql);
    },
    prepare: (sql) => db.prepare(sql),
    close: () => db.close(),
  };
  return { db: watched, log };
}

const isNoPragma = (word: string) => word !== 'PRAGMA';

function pragmaOf(db: SqliteDatabase, pragma: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${pragma}`).get() as object)[0];
}

function receiverOn(options: { readonly store: WebhookStore } | { readonly queue: ReturnType<typeof sqliteQueue> }) {
  const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger(), ...options });
  let runs = 0;
  webhooks.on('user.created', function welcome() {
    runs++;
  });
  const receive = (id: string, bytes = 0) => webhooks.receive(deliveryOf(bodyOf({ id, padding: 'x'.repeat(bytes) })));
  return { webhooks, receive, runs: () => runs };
}

/** Lets the file grow by no page, as a full disk does. */
function fill(db: SqliteDatabase): void {
  db.exec(`PRAGMA max_page_count = ${Number(pragmaOf(db, 'page_count'))}`);
}

function makeRoom(db: SqliteDatabase): void {
  db.exec('PRAGMA max_page_count = 1000000');
}

describe('a SQLite database', () => {
  it('waits for other writers, uses WAL and syncs each commit', () => {
    const db = openDatabase(newFile());
    db.exec('PRAGMA synchronous = OFF');
    sqliteStore(db);
    expect([pragmaOf(db, 'busy_timeout'), pragmaOf(db, 'journal_mode'), pragmaOf(db, 'synchronous')]).toEqual([
      5000,
      'wal',
      2,
    ]);
  });

  it('commits writes of one event loop turn together and answers none before', async () => {
    const { db, log } = observed(openDatabase(newFile()));
    const store = sqliteStore(db);
    log.length = 0;
    const claims = Array.from({ length: 100 }, (_, i) =>
      store.claim(`k${i}`, CLAIM).then(({ status }) => void log.push(status)),
    );
    await Promise.all(claims);
    expect(log.filter(isNoPragma)).toEqual(['BEGIN', 'COMMIT', ...Array(100).fill('acquired')]);
  });

  it('commits a burst in groups, so that no write waits for all', async () => {
    const { db, log } = observed(openDatabase(newFile()));
    const store = sqliteStore(db);
    log.length = 0;
    await Promise.all(Array.from({ length: 600 }, (_, i) => store.claim(`k${i}`, CLAIM)));
    expect(log.filter(isNoPragma)).toEqual(['BEGIN', 'COMMIT', 'BEGIN', 'COMMIT', 'BEGIN', 'COMMIT']);
  });

  it('shows other connections only committed writes', async () => {
    const file = newFile();
    const [store, other] = [sqliteStore(file), sqliteStore(file)];
    const claimed = store.claim('k', CLAIM);
    expect(await other.get('k')).toBeUndefined();
    await claimed;
    expect((await other.get('k'))?.state).toBe('active');
    await Promise.all([store.close(), other.close()]);
  });

  it('isolates concurrent writes from a transaction that fails', async () => {
    const db = openDatabase(newFile());
    const [store, other] = [sqliteStore(db), sqliteStore(db, { namespace: 'other' })];
    const claim = await store.claim('k', CLAIM);
    const token = claim.status === 'acquired' ? claim.token : '';
    const seen: unknown[] = [];
    const failed = store.transaction?.(async (tx) => {
      await store.complete('k', token, tx);
      seen.push(store.get('k'), other.claim('theirs', CLAIM));
      await Promise.resolve();
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    const [row, theirs] = await Promise.all(seen);
    expect([row, theirs]).toMatchObject([{ state: 'active' }, { status: 'acquired' }]);
    expect((await other.get('theirs'))?.state).toBe('active');
    await expect(store.complete('k', token, db)).rejects.toThrow('This transaction of the SQLite store is over.');
  });

  it('is durable and shared as a file, and neither in memory', () => {
    const inMemory = [sqliteStore(':memory:'), sqliteQueue(':memory:', { allowVolatile: true })];
    const kinds = [sqliteStore(newFile()), ...inMemory].map(({ durable, shared }) => [durable, shared]);
    expect(kinds).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
  });

  it('needs an explicit option to hold a queue in memory', () => {
    for (const given of [':memory:', openDatabase(':memory:')]) {
      expect(() => sqliteQueue(given)).toThrow(
        new TypeError(
          'A SQLite database in memory loses what it accepted with the process. Pass the path of a file, or { allowVolatile: true } in tests.',
        ),
      );
    }
  });

  it('is closed after pending writes when the store opened it, and otherwise left open', async () => {
    const [own, given] = [sqliteStore(newFile()), openDatabase(newFile())];
    const begun = own.claim('k', CLAIM);
    await Promise.all([own.close(), own.close()]);
    expect((await begun).status).toBe('acquired');
    await expect(own.claim('k', CLAIM)).rejects.toThrow('The SQLite database was closed.');
    await expect(own.get('k')).rejects.toThrow('The SQLite database was closed.');
    const store = sqliteStore(given);
    const late = store.claim('k', CLAIM);
    await store.close();
    expect(given.prepare('SELECT count(*) AS n FROM pathfinder_webhook_event').get()).toMatchObject({ n: 1 });
    expect((await late).status).toBe('acquired');
  });

  it('creates its tables once, by the first process or by a migration', () => {
    const migrated = openDatabase(newFile());
    migrated.exec(sqliteSchema('hooks_'));
    migrated.exec(sqliteSchema('hooks_'));
    const { db, log } = observed(migrated);
    sqliteStore(db, { tablePrefix: 'hooks_' });
    expect(log).toEqual(['PRAGMA', 'PRAGMA', 'PRAGMA']);
  });
});

describe('an unavailable SQLite database', () => {
  it('responds 503 to the whole group on a full disk, and accepts deliveries when there is room', async () => {
    const db = openDatabase(newFile());
    const queue = sqliteQueue(db);
    const { webhooks, receive, runs } = receiverOn({ queue });
    const ids = ['evt_1', 'evt_2', 'evt_3'];
    fill(db);
    const refusals = await Promise.all(ids.map((id) => receive(id, 20_000)));
    expect(refusals).toEqual(ids.map(() => refused(503, 'queue_unavailable', RETRY)));
    expect(await queue.stats()).toMatchObject({ ready: 0, active: 0, delayed: 0 });
    makeRoom(db);
    expect(await Promise.all(ids.map((id) => receive(id, 20_000)))).toEqual(
      ids.map(() => answered('queued', 0, 0, 202)),
    );
    expect(await webhooks.drain({ maxMs: 10_000 })).toBe(3);
    expect(runs()).toBe(3);
  });

  it.each<[string, (file: string) => SqliteDatabase | string]>([
    ['given', openDatabase],
    ['opened here', (file) => file],
  ])('is waited for without blocking while another process holds the lock, when it was %s', async (_, open) => {
    const file = newFile();
    const dbOrPath = open(file);
    const store = sqliteStore(dbOrPath);
    const queue = sqliteQueue(dbOrPath, { namespace: 'queue' });
    const inRequest = receiverOn({ store });
    const queued = receiverOn({ queue });
    inRequest.webhooks.on('user.created', (_event, { commit }) => commit?.(() => undefined), {
      name: 'effect',
      transaction: true,
    });
    const other = openDatabase(file);
    other.exec('BEGIN IMMEDIATE');
    // Whoever holds the lock is in this very process: a wait that blocked it would last until the time is over.
    const unlocked = delay(150).then(() => other.exec('ROLLBACK'));
    const replies = await Promise.all([inRequest.receive('evt_1'), queued.receive('evt_2'), store.claim('k', CLAIM)]);
    await unlocked;
    expect(replies).toEqual([
      answered('processed', 2),
      answered('queued', 0, 0, 202),
      expect.objectContaining({ status: 'acquired' }),
    ]);
    if (typeof dbOrPath !== 'string') expect(pragmaOf(dbOrPath, 'busy_timeout')).toBe(5000);
    await Promise.all([store.close(), queue.close?.()]);
  });

  it('responds 503 after a long lock instead of running without a claim, and recovers', async () => {
    const file = newFile();
    const store = sqliteStore(openDatabase(file), { busyTimeoutMs: 50 });
    const { receive, runs } = receiverOn({ store });
    const claimed = await store.claim('k', CLAIM);
    const other = openDatabase(file);
    other.exec('BEGIN IMMEDIATE');
    expect(await receive('evt_1')).toEqual(refused(503, 'store_unavailable', RETRY));
    await expect(store.transaction?.(async () => 1)).rejects.toThrow(
      'Another process has held the lock of the SQLite file for over 50 ms (`busyTimeoutMs`).',
    );
    expect([claimed.status, runs()]).toEqual(['acquired', 0]);
    other.exec('ROLLBACK');
    expect(await receive('evt_1')).toEqual(answered('processed', 1));
    expect(runs()).toBe(1);
  });

  it('fails only the invalid write of a group', async () => {
    const store = sqliteStore(newFile());
    const good = Array.from({ length: 5 }, (_, i) => store.claim(`good_${i}`, CLAIM));
    const bad = [1, 2, 3].map((i) => store.claim(`bad_${i}`, { ...CLAIM, leaseMs: Number.NaN }));
    const more = Array.from({ length: 5 }, (_, i) => store.claim(`more_${i}`, CLAIM));
    for (const { status } of await Promise.allSettled(bad)) expect(status).toBe('rejected');
    const claims = await Promise.all([...good, ...more]);
    expect(claims.map(({ status }) => status)).toEqual(Array(10).fill('acquired'));
    expect(new Set(claims.map((claim) => claim.status === 'acquired' && claim.token)).size).toBe(10);
    expect(await store.get('bad_1')).toBeUndefined();
    await store.close();
  });

  it('responds 503 when it was closed under its queue', async () => {
    const db = openDatabase(newFile());
    const { receive } = receiverOn({ queue: sqliteQueue(db) });
    db.close();
    expect(await receive('evt_1')).toEqual(refused(503, 'queue_unavailable', RETRY));
  });

  it('runs an event again, with its marks undone, when the disk was full at completion', async () => {
    const db = openDatabase(newFile());
    const store = sqliteStore(db, { leaseMs: 50 });
    const { webhooks, receive, runs } = receiverOn({ store });
    webhooks.on(
      'user.created',
      (_, { commit }) =>
        commit?.((tx: SqliteDatabase) => {
          tx.exec('CREATE TABLE IF NOT EXISTS effect (body BLOB)');
          tx.exec('INSERT INTO effect VALUES (zeroblob(100000))');
        }),
      { name: 'effect', transaction: true, retry: { attempts: 1 } },
    );
    db.exec('CREATE TABLE effect (body BLOB)');
    fill(db);
    expect((await receive('evt_1')).status).toBe(500);
    makeRoom(db);
    expect(db.prepare('SELECT count(*) AS n FROM effect').get()).toMatchObject({ n: 0 });
    expect(await receive('evt_1')).toEqual(answered('processed', 1));
    expect(db.prepare('SELECT count(*) AS n FROM effect').get()).toMatchObject({ n: 1 });
    expect(runs()).toBe(1);
  });
});

describe('an invalid SQLite database argument', () => {
  it('is rejected with the accepted alternatives', () => {
    for (const given of [undefined, null, {}, 1, { exec() {} }]) {
      const open = () => sqliteStore(given as unknown as string);
      expect(open).toThrow(
        new TypeError('Pass a database of libsql, better-sqlite3, node:sqlite or bun:sqlite, or the path of a file.'),
      );
    }
    expect(() => sqliteQueue('')).toThrow(new TypeError('Pass the path of a SQLite file, or an open database.'));
  });

  it('is rejected when it returns integers as BigInt', () => {
    const db = inDialect(openDatabase(newFile()), SAFE_INTEGERS);
    expect(() => sqliteStore(db)).toThrow(/gives integers as BigInt: pass one that does not, or the path of the file/);
  });

  it("is rejected with the driver's message when its path cannot be opened", () => {
    expect(() => sqliteStore(folder.file('no/such/folder.db'))).toThrow();
  });
});
