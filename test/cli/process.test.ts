import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ensureBuild } from '../support/build.ts';
import { emptyFolder, SECRET } from '../support/command-line.ts';
import { recordingServer, serverWith } from '../support/test-server.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const base = { PATH: process.env.PATH ?? '', NO_COLOR: '1' };

beforeAll(ensureBuild, 300_000);

function start(args: readonly string[], env: Readonly<Record<string, string>> = { PATHFINDER_WEBHOOK_SECRET: SECRET }) {
  const child = spawn(process.execPath, [cli, ...args], { env: { ...base, ...env }, cwd: emptyFolder() });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += String(chunk);
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, output, ended };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** What anybody on the machine sees of a process. */
function seenOf({ pid = 0 }: ChildProcess): string {
  return `${execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)])}${readFileSync(`/proc/${pid}/cmdline`)}`;
}

describe('the built command', () => {
  it('shows no secret in the process list, whether it comes from the environment, a file or stdin', async () => {
    const waiting = new Set<() => void>();
    const url = await serverWith((_, response) => void waiting.add(() => response.end()));
    for (const [args, env, input] of [
      [[], { PATHFINDER_WEBHOOK_SECRET: SECRET }, ''],
      [['--secret-stdin'], {}, SECRET],
    ] as const) {
      const { child, ended, output } = start(['send', 'auth.login', '--to', url.href, ...args], env);
      child.stdin.end(input);
      await until(() => waiting.size > 0);
      const seen = seenOf(child);
      expect(seen).toContain('auth.login');
      expect(seen).not.toContain(SECRET);
      for (const answer of waiting) answer();
      waiting.clear();
      expect(await ended).toBe(0);
      expect(output.stdout + output.stderr).not.toContain(SECRET);
    }
    // The twin: what is given as an option shows, which is what the warning says.
    const { child, ended } = start(['send', 'auth.login', '--to', url.href, '--secret', SECRET], {});
    await until(() => waiting.size > 0);
    expect(seenOf(child)).toContain(SECRET);
    for (const answer of waiting) answer();
    await ended;
  });

  it('exits with 130 on Ctrl-C at once, even while it waits', async () => {
    const silent = await serverWith(() => undefined);
    for (const args of [['listen', '--port', '0'], ['sandbox'], ['send', 'auth.login', '--to', silent.href]]) {
      const { child, ended, output } = start(args);
      if (args[0] === 'send') await new Promise((resolve) => setTimeout(resolve, 400));
      else await until(() => /Receiver|PATHFINDER_API_URL/.test(output.stdout + output.stderr));
      const startedAtMs = performance.now();
      child.kill('SIGINT');
      expect(await ended, args.join(' ')).toBe(130);
      expect(performance.now() - startedAtMs).toBeLessThan(5000);
    }
  });

  it('survives a reader that closes its output', async () => {
    const { child, ended, output } = start(['events', '--json']);
    child.stdout.destroy();
    expect(await ended).toBe(0);
    expect(output.stderr).toBe('');
  });

  it('prints results on stdout and failures on stderr', async () => {
    const { url } = await recordingServer(() => ({ status: 500 }));
    const { ended, output } = start(['send', 'auth.login', '--to', url.href, '--json']);
    expect(await ended).toBe(1);
    expect([JSON.parse(output.stdout), JSON.parse(output.stderr)]).toMatchObject([
      { ok: false },
      { error: { code: 'server_error' } },
    ]);
  });

  it('starts without optional packages, and prints its help even without zod', async () => {
    const script = `
      import { register } from 'node:module';
      const hook = 'export async function resolve(name, context, next) { if (name === "zod" || /(index|testing|client|sqlite)\\\\.js$/.test(name)) throw new Error("loaded " + name); return next(name, context); }';
      register('data:text/javascript,' + encodeURIComponent(hook));
      process.argv = [process.argv[0], ${JSON.stringify(cli)}, '--help'];
      await import(${JSON.stringify(cli)});
    `;
    const text = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      env: base,
    });
    expect(text).toContain('Usage: pathfinder-webhooks');
  });
});
