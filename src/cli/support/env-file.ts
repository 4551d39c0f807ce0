import { closeSync, fchmodSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { CliError } from './failure.ts';
import { fileProblem } from './files.ts';

/**
 * Adds a variable to an env file, which is made for its owner only if there is none. Overwrites no value.
 *
 * @throws CliError when the file has a value for it, or cannot be written.
 */
export function addToEnvFile(cwd: string, path: string, name: string, value: string): void {
  const before = checkNotIn(cwd, path, name);
  const line = `${before === '' || before.endsWith('\n') ? '' : '\n'}${name}=${value}\n`;
  withFile(cwd, path, 'a', (file) => {
    if (fstatSync(file).size === 0) fchmodSync(file, 0o600);
    writeSync(file, line);
  });
}

/** Makes sure that a variable can be added, and changes nothing. Returns the text of the file. @throws CliError as {@link addToEnvFile}. */
export function checkNotIn(cwd: string, path: string, name: string): string {
  let text = '';
  try {
    text = readFileSync(resolve(cwd, path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(path, error);
  }
  if (parseEnv(text)[name]) {
    throw new CliError('setup', 'already_set', `${path} has a value for ${name}.`, 'Remove it, or name another file.');
  }
  return text;
}

function withFile(cwd: string, path: string, flags: string, work: (file: number) => void): void {
  try {
    const file = openSync(resolve(cwd, path), flags, 0o600);
    try {
      work(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): CliError {
  return new CliError(
    'setup',
    'file_unwritable',
    `${path} cannot be written: ${fileProblem(error)}.`,
    'Check the path.',
  );
}
