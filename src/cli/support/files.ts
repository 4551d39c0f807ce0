import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError, usage } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** The bytes of a file, or of stdin for `-`. */
export async function readInput(terminal: Terminal, path: string): Promise<Buffer> {
  return path === '-' ? readStdin(terminal) : readFile(terminal, path);
}

/** The bytes of a file. @throws CliError that says why there are none. */
export function readFile({ cwd }: Pick<Terminal, 'cwd'>, path: string): Buffer {
  try {
    return readFileSync(resolve(cwd, path));
  } catch (error) {
    throw new CliError('setup', 'file_unreadable', `${path} cannot be read: ${fileProblem(error)}.`, 'Check the path.');
  }
}

/** All of stdin. @throws CliError when it was read before: it cannot be two things. */
export async function readStdin({ stdin, signal }: Terminal): Promise<Buffer> {
  if (stdin.readableEnded)
    throw usage('Stdin cannot be both the secret and something else.', 'Pass one of them as a file.');
  const chunks: Buffer[] = [];
  const stop = () => stdin.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks);
}

/** Why a file cannot be read or written, in words. */
export function fileProblem(error: unknown): string {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is no folder',
    ENOSPC: 'the disk is full',
    EROFS: 'the disk is read-only',
    EEXIST: 'it exists already',
  };
  return typeof code === 'string' ? (words[code] ?? code) : 'unknown reason';
}
