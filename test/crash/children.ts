import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pathsField } from '../../scripts/entries.ts';
import type { ChildTask } from './engine.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A child process, and what it says. */
export interface Child {
  readonly process: ChildProcess;
  /** The next message that has this member. Rejects when the child ends without it. */
  hear<T>(member: string): Promise<T>;
  /** Ends it, and waits until it has. Gives its exit code, `null` after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface ChildBuild {
  start(task: ChildTask): Child;
  killAll(): void;
}

/** Lets `work` start children, and ends those that are left. */
export async function withChildren<T>(work: (built: ChildBuild) => Promise<T>): Promise<T> {
  bundle ??= bundleChild();
  const file = await bundle;
  const children = new Set<ChildProcess>();
  const killAll = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  try {
    return await work({
      killAll,
      start(task) {
        const process = fork(file, [JSON.stringify(task)], { execArgv: [], silent: true });
        children.add(process);
        process.on('exit', () => children.delete(process));
        return toChild(process);
      },
    });
  } finally {
    killAll();
  }
}

let bundle: Promise<string> | undefined;

// Bundled once for all runs of this process, so that a child is up again a moment after it was killed.
async function bundleChild(): Promise<string> {
  // Inside the project, where its packages are found.
  const outdir = `${root}node_modules/.cache/crash-${process.pid}-${Date.now()}`;
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  await build({
    entryPoints: [fileURLToPath(new URL('./child.ts', import.meta.url))],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    alias: Object.fromEntries(Object.entries(pathsField()).map(([name, [path = '']]) => [name, root + path])),
    outExtension: { '.js': '.mjs' },
    logLevel: 'error',
  });
  return `${outdir}/child.mjs`;
}

function toChild(process: ChildProcess): Child {
  let said = '';
  process.stderr?.on('data', (data) => {
    said += data;
  });
  const exited = once(process, 'exit') as Promise<[number | null]>;
  return {
    process,
    hear<T>(member: string) {
      return new Promise<T>((resolve, reject) => {
        const listen = (message: unknown) => {
          if (!Object.hasOwn(message as object, member)) return;
          process.off('message', listen);
          resolve((message as Record<string, T>)[member] as T);
        };
        process.on('message', listen);
        exited.then(() => reject(new Error(`A child ended before it told its ${member}. ${said}`)), reject);
      });
    },
    async end(signal) {
      process.kill(signal);
      return (await exited)[0];
    },
  };
}
