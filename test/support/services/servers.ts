import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 30_000;

/** A server of the tests' own, which may be killed. */
export interface OwnServer {
  readonly url: string;
  readonly port: number;
  /** Ends it at once, without a word, and starts it again on the same files. */
  restart(): Promise<void>;
  /** Ends it at once, without a word. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it, and deletes its files. */
  dispose(): Promise<void>;
}

/** The server programs on this machine, or undefined. */
export const programs = {
  redis: findProgram('redis-server', ['/usr/bin', '/usr/local/bin']),
  // The companions of postgres lie beside the program itself, not beside a link to it.
  postgres: realPath(findProgram('postgres', postgresFolders())),
};

function postgresFolders(): readonly string[] {
  const all = '/usr/lib/postgresql';
  const versions = existsSync(all) ? readdirSync(all).sort((a, b) => Number(b) - Number(a)) : [];
  return [...versions.map((version) => `${all}/${version}/bin`), '/usr/local/bin', '/usr/bin'];
}

function realPath(file: string | undefined): string | undefined {
  return file === undefined ? undefined : realpathSync(file);
}

function findProgram(name: string, folders: readonly string[]): string | undefined {
  const path = (process.env.PATH ?? '').split(':');
  return [...path, ...folders].map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/**
 * Starts a Redis that has every write in its file before it answers, unless its options say otherwise. Here only its process dies,
 * so no write needs an fsync; under `everysec` it answers before it writes while an fsync is under way, and a kill loses that.
 */
export async function startRedis(options: readonly string[] = []): Promise<OwnServer> {
  if (!programs.redis) throw new Error('There is no redis-server on this machine.');
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-redis-'));
  const port = await freePort();
  const persistent = ['--appendonly', 'yes', '--appendfsync', 'no', '--save', ''];
  const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--logfile', `${folder}/log`];
  const command = [programs.redis, ...where, ...persistent, ...options];
  return startServer({ command, port, folder, url: `redis://127.0.0.1:${port}`, stop: 'SIGKILL', owner: undefined });
}

export interface PostgresServerOptions {
  /** Settings, as on its command line. */
  readonly settings?: readonly string[];
  /** Absent: it trusts everybody on this machine. */
  readonly password?: string;
  /** The server is a hot standby of this one. */
  readonly replicaOf?: OwnServer;
}

/** Starts a PostgreSQL. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<OwnServer> {
  if (!programs.postgres) throw new Error('There is no postgres on this machine.');
  const { settings = [], password } = options;
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-postgres-'));
  const port = await freePort();
  // PostgreSQL refuses to run as root.
  const owner = process.getuid?.() === 0 ? userId('postgres') : undefined;
  if (owner !== undefined) chownSync(folder, owner, owner);
  const companion = (name: string) => programs.postgres?.replace(/postgres$/, name) ?? name;
  if (password !== undefined) writeFileSync(`${folder}/password`, password, { mode: 0o644 });
  const [program = '', ...args] = asUser(owner, fillData(companion, folder, options));
  execFileSync(program, args, { cwd: folder, stdio: 'ignore' });
  const own = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`];
  const command = [programs.postgres, '-D', `${folder}/data`, '-p', String(port), ...own, ...settings];
  const url = `postgres://postgres${password === undefined ? '' : `:${password}`}@127.0.0.1:${port}/postgres`;
  const ready = [companion('pg_isready'), '-q', '-h', '127.0.0.1', '-p', String(port)];
  // An immediate shutdown: what SIGKILL is, but for the shared memory that it would leave behind.
  return startServer({ command, port, folder, url, stop: 'SIGQUIT', owner, ready });
}

/** How to fill the folder of a database. */
function fillData(
  companion: (name: string) => string,
  folder: string,
  { password, replicaOf }: PostgresServerOptions,
): readonly string[] {
  const data = `${folder}/data`;
  if (replicaOf) {
    const from = ['-h', '127.0.0.1', '-p', String(replicaOf.port), '-U', 'postgres'];
    return [companion('pg_basebackup'), '-D', data, ...from, '-R', '-c', 'fast', '-N'];
  }
  const trusting = password === undefined ? ['-A', 'trust'] : ['-A', 'scram-sha-256', `--pwfile=${folder}/password`];
  return [companion('initdb'), '-D', data, '-U', 'postgres', '-N', '-E', 'UTF8', ...trusting];
}

function userId(name: string): number {
  return Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }));
}

/** The command as another user, and ended with this process whatever becomes of it. */
function asUser(owner: number | undefined, command: readonly string[]): readonly string[] {
  if (!existsSync('/usr/bin/setpriv')) return command;
  const user = owner === undefined ? [] : [`--reuid=${owner}`, `--regid=${owner}`, '--clear-groups'];
  return ['/usr/bin/setpriv', ...user, '--pdeathsig', 'KILL', ...command];
}

interface ServerPlan {
  readonly command: readonly string[];
  readonly port: number;
  readonly folder: string;
  readonly url: string;
  readonly stop: NodeJS.Signals;
  readonly owner: number | undefined;
  /** Ends well once the server takes questions, where listening does not mean that. */
  readonly ready?: readonly string[];
}

async function startServer({ command, port, folder, url, stop, owner, ready }: ServerPlan): Promise<OwnServer> {
  let server: ChildProcess | undefined;
  const [program = '', ...args] = asUser(owner, command);

  async function start(): Promise<void> {
    const started = spawn(program, args, { cwd: folder, stdio: 'ignore' });
    server = started;
    await untilReady(port, ready, () => started.exitCode === null);
  }

  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(stop);
    await exited;
  }

  await start();
  return {
    url,
    port,
    start,
    kill,
    async restart() {
      await kill();
      await start();
    },
    async dispose() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(port: number, ready: readonly string[] | undefined, isAlive: () => boolean): Promise<void> {
  const endsAtMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endsAtMs && isAlive()) {
    if ((await isListening(port)) && (!ready || isWell(ready))) return;
    await delay(20);
  }
  throw new Error(`A server of the tests did not begin to listen on port ${port}.`);
}

function isWell([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, args).status === 0;
}

/** Whether somebody takes connections on this port of the machine. */
export function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
