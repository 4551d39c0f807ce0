import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { run } from '../../src/cli/run.ts';

export const SECRET = 'whsec_a_secret_of_the_command_line';

/** What a command line is run with. */
export interface CommandLineOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** Whether a person looks at stderr, and at stdout. */
  readonly tty?: boolean;
  readonly signal?: AbortSignal;
  /** Told of each piece of stdout as it is written. */
  readonly onOut?: (text: string) => void;
  readonly onErr?: (text: string) => void;
}

/** What came of a command line. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, in an empty folder, with the secret set. */
export async function commandLine(
  line: string | readonly string[],
  options: CommandLineOptions = {},
): Promise<Outcome> {
  const { env = { PATHFINDER_WEBHOOK_SECRET: SECRET }, stdin = '', tty = false, signal } = options;
  const written = { stdout: '', stderr: '' };
  const output = (name: keyof typeof written, told?: (text: string) => void) => ({
    isTTY: tty,
    columns: 100,
    write(text: string) {
      written[name] += text;
      told?.(text);
    },
  });
  const code = await run(typeof line === 'string' ? line.split(' ').filter(Boolean) : line, {
    env,
    cwd: options.cwd ?? emptyFolder(),
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: output('stdout', options.onOut),
    stderr: output('stderr', options.onErr),
    signal: signal ?? new AbortController().signal,
  });
  return { code, ...written };
}

/** Has something done when a test has finished. A test that runs beside others passes its own. */
export type OnTestFinished = (work: () => void | Promise<void>) => void;

/** A folder that goes when the test has finished. */
export function emptyFolder(whenFinished: OnTestFinished = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-cli-'));
  whenFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
