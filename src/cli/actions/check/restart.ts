import { spawn } from 'node:child_process';
import { CliError } from '../../support/failure.ts';
import type { Terminal } from '../../support/terminal.ts';

const LIMIT_MS = 60_000;

/** Runs the command that restarts the receiver. What it starts may go on; only the command itself is waited for. */
export async function restartWith(command: string, { cwd, env, signal }: Terminal): Promise<void> {
  const code = await new Promise<number | null>((resolve, reject) => {
    // The command's output is not read: whatever it starts may hold on to it for good.
    const child = spawn(command, { cwd, env: { ...env }, shell: true, stdio: 'ignore', signal, timeout: LIMIT_MS });
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code === 0) return;
  const said = code === null ? 'was ended after a minute' : `ended with code ${code}`;
  throw new CliError(
    'setup',
    'restart_failed',
    `The --restart command ${said}.`,
    'Let it end with code 0 once the receiver is started.',
  );
}
