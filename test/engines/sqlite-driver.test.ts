import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type SqliteDatabase, sqliteQueue, sqliteStore } from '@pathfinder/webhooks/sqlite';
import { describeWebhookQueue, describeWebhookStore } from '@pathfinder/webhooks/testing';
import { build } from 'esbuild';
import type Libsql from 'libsql';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { openSqliteFile } from '../../src/engines/sqlite/driver.ts';
import { contractRunner } from '../support/contract-runner.ts';
import { databaseFolder, movedClock, openDatabase } from '../support/sqlite.ts';
import { BUN, inDialect, NODE } from '../support/sqlite-dialects.ts';

const folder = databaseFolder();
const root = fileURLToPath(new URL('../..', import.meta.url));
const kinds = ['durable', 'shared', 'transactions'] as const;

for (const [name, dialect] of Object.entries({ BUN, NODE })) {
  const db = inDialect(openDatabase(folder.file(`${name}.db`)), dialect);
  const runner = contractRunner;
  const { now, advance } = movedClock();
  describeWebhookStore(
    `sqliteStore in the dialect ${name}`,
    (o) => ({ store: sqliteStore(db, { ...o, now }), advance }),
    { runner, kinds },
  );
  describeWebhookQueue(`sqliteQueue in the dialect ${name}`, (o) => sqliteQueue(db, { ...o, pollMs: 20 }), {
    runner,
    kinds: ['durable', 'shared'],
  });
}

/** A module loader that finds what it is given, and notes what it was asked for. */
function loader(modules: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const load = (name: string) => {
    asked.push(name);
    if (name in modules) return modules[name];
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  };
  return { load, asked };
}

/** A driver that remembers the path. */
function driver(name: string) {
  return class {
    readonly opened: string;
    constructor(path: string) {
      this.opened = `${name} ${path}`;
    }
  };
}

const better = driver('better-sqlite3');
const libsql = driver('libsql');
const builtIn = { DatabaseSync: driver('node:sqlite') };

describe('a path to a SQLite file', () => {
  const rows: readonly (readonly [modules: Record<string, unknown>, nodeVersion: string, opened: string])[] = [
    [{ 'node:sqlite': builtIn, 'better-sqlite3': better, libsql }, '24.0.0', 'node:sqlite x.db'],
    [{ 'better-sqlite3': better, libsql }, '22.12.0', 'better-sqlite3 x.db'],
    [{ libsql }, '22.12.0', 'libsql x.db'],
    [
      { 'better-sqlite3/package.json': { version: '12.11.1' }, 'better-sqlite3': better, libsql },
      '20.19.0',
      'better-sqlite3 x.db',
    ],
    [
      { 'better-sqlite3/package.json': { version: '13.2.0' }, 'better-sqlite3': better, libsql },
      '20.19.0',
      'libsql x.db',
    ],
  ];

  it.each(rows)('is opened by the first available driver: %o on Node %s', (modules, nodeVersion, opened) => {
    expect(openSqliteFile('x.db', { load: loader(modules).load, nodeVersion })).toEqual({ opened });
  });

  it('never loads better-sqlite3 13 into Node 20, where it crashes the process', () => {
    const { load, asked } = loader({ 'better-sqlite3/package.json': { version: '13.0.0' }, 'better-sqlite3': better });
    expect(() => openSqliteFile('x.db', { load, nodeVersion: '20.20.2' })).toThrow(TypeError);
    expect(asked).toEqual(['node:sqlite', 'better-sqlite3/package.json', 'libsql']);
  });

  it('without a driver lists the packages to install and why each did not load', () => {
    const open = (nodeVersion: string, modules = {}) => {
      try {
        openSqliteFile('x.db', { load: loader(modules).load, nodeVersion });
      } catch (error) {
        const { name, message, cause } = error as Error & { readonly cause: AggregateError };
        return [name, message, ...cause.errors.map(({ message: reason }: Error) => reason)];
      }
      return undefined;
    };
    expect(open('20.19.0', { 'better-sqlite3/package.json': { version: '13.2.0' } })).toEqual([
      'TypeError',
      'No SQLite driver loads in Node 20.19.0. better-sqlite3 13.2.0 crashes Node 20: it needs Node 22. Install libsql 0.5 (`npm install libsql@0.5`), or better-sqlite3 12, which compiles; better-sqlite3 13 and node:sqlite need Node 22. In a bundle, or to be sure of the driver, open the database yourself and pass that.',
      "Cannot find module 'node:sqlite'",
      'better-sqlite3 13.2.0 crashes Node 20: it needs Node 22.',
      "Cannot find module 'libsql'",
    ]);
    expect(open('22.11.0')).toEqual([
      'TypeError',
      'No SQLite driver loads in Node 22.11.0. Update to Node 22.13, which has node:sqlite, or install better-sqlite3 13 (`npm install better-sqlite3@13`). In a bundle, or to be sure of the driver, open the database yourself and pass that.',
      "Cannot find module 'node:sqlite'",
      "Cannot find module 'better-sqlite3'",
      "Cannot find module 'libsql'",
    ]);
  });

  it('explains why an installed driver does not load', () => {
    const load = (name: string) => {
      if (name === 'libsql') throw new Error('The module was compiled for another Node.\nRequire stack: x');
      throw Object.assign(new Error('not there'), { code: 'MODULE_NOT_FOUND' });
    };
    expect(() => openSqliteFile('x.db', { load, nodeVersion: '20.19.0' })).toThrow(
      /^No SQLite driver loads in Node 20\.19\.0\. The module was compiled for another Node\. Install/,
    );
  });

  it.each(['cjs', 'esm'] as const)('opens in an esbuild bundle (%s), and so does an open database', async (format) => {
    const bundle = folder.file(`bundle-${format}.${format === 'cjs' ? 'cjs' : 'mjs'}`);
    const contents = `
      import { sqliteStore } from './src/engines/sqlite/index.ts';
      const lease = { leaseMs: 1000, bodyHash: 'h' };
      const [, , path, opened] = process.argv;
      const { createRequire } = process.getBuiltinModule('node:module');
      const Database = createRequire(process.cwd() + '/')('libsql');
      for (const database of [path, new Database(opened)]) {
        sqliteStore(database).claim('k', lease).then(({ status }) => console.log(status));
      }`;
    const built = await build({
      stdin: { contents, resolveDir: root, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format,
      outfile: bundle,
      logLevel: 'silent',
    });
    expect(built.errors).toEqual([]);
    const files = [folder.file(`path-${format}.db`), folder.file(`open-${format}.db`)];
    const output = execFileSync(process.execPath, [bundle, ...files], { cwd: root, encoding: 'utf8' });
    expect(output).toBe('acquired\nacquired\n');
  });

  it.each([
    ['cjs', ['libsql'], 'acquired\n'],
    ['esm', ['libsql'], 'acquired\n'],
    // A module of esbuild cannot require what it has not bundled, and a driver requires its native part when it runs.
    ['esm', [], 'Dynamic require of "'],
  ] as const)(
    'opens in an esbuild bundle (%s) with its own driver and external: %j',
    async (format, external, printed) => {
      const packages = folder.file('node_modules');
      if (!existsSync(packages)) symlinkSync(join(root, 'node_modules'), packages);
      const contents = `
      import Database from 'libsql';
      import { sqliteStore } from './src/engines/sqlite/index.ts';
      const store = sqliteStore(new Database(':memory:'));
      store.claim('k', { leaseMs: 1000, bodyHash: 'h' }).then(({ status }) => console.log(status));`;
      const outfile = folder.file(`driver-${external.length}-${format}.${format === 'cjs' ? 'cjs' : 'mjs'}`);
      const stdin = { contents, resolveDir: root, loader: 'ts' } as const;
      await build({
        stdin,
        bundle: true,
        platform: 'node',
        format,
        external: [...external],
        outfile,
        logLevel: 'silent',
      });
      const { stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
      expect(stdout + stderr).toContain(printed);
    },
  );

  it('opens with a driver of this machine', () => {
    const db = openSqliteFile(folder.file('here.db'));
    expect(db.prepare('SELECT 1 AS one').get()).toMatchObject({ one: 1 });
    db.close();
  });

  it("that no driver can open throws the driver's message", () => {
    const broken = class {
      constructor() {
        throw new Error('unable to open database file');
      }
    };
    const { load } = loader({ libsql: broken });
    expect(() => openSqliteFile('x.db', { load, nodeVersion: '20.19.0' })).toThrow(/^unable to open database file$/);
  });
});

describe('an open SQLite database', () => {
  it('of each driver matches the accepted type', () => {
    expectTypeOf<InstanceType<typeof Libsql>>().toExtend<SqliteDatabase>();
    expectTypeOf<BetterSqlite3>().toExtend<SqliteDatabase>();
    expectTypeOf<NodeSqlite>().toExtend<SqliteDatabase>();
    expectTypeOf<BunSqlite>().toExtend<SqliteDatabase>();
    const Database = createRequire(import.meta.url)('libsql') as typeof Libsql;
    expect(sqliteStore(new Database(folder.file('typed.db'))).durable).toBe(true);
  });
});

// What each of them declares of the methods in question.
interface BetterSqlite3 {
  exec(source: string): this;
  close(): this;
  prepare(source: string): {
    get(...params: unknown[]): unknown;
    all(...params: unknown[]): unknown[];
    run(...params: unknown[]): { changes: number; lastInsertRowid: number | bigint };
  };
}
type NodeValue = null | number | bigint | string | NodeJS.ArrayBufferView;
interface NodeSqlite {
  exec(sql: string): void;
  close(): void;
  prepare(sql: string): {
    get(...values: NodeValue[]): Record<string, null | number | bigint | string | Uint8Array> | undefined;
    all(...values: NodeValue[]): Record<string, null | number | bigint | string | Uint8Array>[];
    run(...values: NodeValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  };
}
type BunValue = string | bigint | NodeJS.TypedArray | number | boolean | null;
interface BunSqlite {
  exec(sql: string, ...bindings: BunValue[][]): { changes: number; lastInsertRowid: number };
  close(throwOnError?: boolean): void;
  prepare(sql: string): {
    get(...params: BunValue[]): unknown;
    all(...params: BunValue[]): unknown[];
    run(...params: BunValue[]): { changes: number; lastInsertRowid: number };
  };
}
