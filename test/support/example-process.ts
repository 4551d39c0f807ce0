import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { bodyOf, sign } from './deliver.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a process has printed. */
export interface Lines {
  readonly all: readonly string[];
  /** What the first group of the pattern matched, once a line matches it. */
  find(pattern: RegExp): Promise<string>;
}

export interface ExampleProcess {
  readonly child: ChildProcess;
  readonly lines: Lines;
}

/** Runs a script as its reader would, until the test is over. `command`: the script and its arguments. */
export function start(command: string | readonly string[], environment: NodeJS.ProcessEnv = {}): ExampleProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', ...[command].flat()], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, lines: linesOf(child.stdout, child.stderr) };
}

function linesOf(...streams: readonly Readable[]): Lines {
  const all: string[] = [];
  const interfaces = streams.map((input) => createInterface({ input }));
  for (const one of interfaces) one.on('line', (line) => all.push(line));
  return {
    all,
    async find(pattern) {
      for (;;) {
        const [, found] = all.map((line) => pattern.exec(line)).find((match) => match !== null) ?? [];
        if (found !== undefined) return found;
        await Promise.race(interfaces.map((one) => once(one, 'line')));
      }
    },
  };
}

/** Posts a body, a sample event by default; the reply's status and body. */
export async function send(
  url: string,
  body: Uint8Array = bodyOf(),
  signature = sign(body),
): Promise<readonly [number, string]> {
  const headers = { 'x-pathfinder-signature': signature };
  const response = await fetch(url, { method: 'POST', headers, body: Uint8Array.from(body) });
  return [response.status, await response.text()];
}
