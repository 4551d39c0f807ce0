import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { packedTarball } from '../support/build.ts';
import { nowhere } from '../support/test-server.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];

/** The three blocks of the README's first screen, as they stand there. */
function firstScreen(): readonly [install: string, app: string, send: string] {
  const [, screen = ''] = readFileSync(join(root, 'README.md'), 'utf8').split('## Three steps');
  const [install = '', app = '', send = ''] = [...screen.matchAll(/^```(?:sh|ts)\n(.*?)^```/gms)].map(
    ([, code]) => code,
  );
  return [install, app, send];
}

it('the three steps of the README end in a verified event in an empty folder', {
  timeout: 300_000,
}, async () => {
  const [install, app, send] = firstScreen();
  expect(install).toBe('npm i @pathfinder/webhooks express\n');
  expect(
    app
      .trim()
      .split('\n')
      .filter((line) => /^\w/.test(line) && !line.startsWith('import')).length,
  ).toBeLessThanOrEqual(4);
  const tarball = await packedTarball();
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-steps-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Only what differs here: the package is not published yet, and port 3000 may be in use.
  await run('sh', ['-c', install.replace('@pathfinder/webhooks', `${tarball} ${quiet.join(' ')}`)], { cwd: folder });
  const { port } = await nowhere();
  expect(app).toContain('3000');
  writeFileSync(join(folder, 'app.mjs'), app.replace('3000', port));
  const shown = await shell(`${send}\nkill %1`, folder, {
    PATHFINDER_WEBHOOK_URL: `http://localhost:${port}/webhooks/pathfinder`,
  });
  expect(shown).toContain('✓ verified, 1 handler ran');
  expect(shown).toMatch(/^welcome, \S+@\S+$/m);
  // The twin with another secret is refused, so it is the signature that was verified.
  const forged = await shell(
    `${send.replace('npx', 'PATHFINDER_WEBHOOK_SECRET=another_secret_of_somebody npx')}\nkill %1`,
    folder,
    {
      PATHFINDER_WEBHOOK_URL: `http://localhost:${port}/webhooks/pathfinder`,
    },
  );
  expect(forged).toContain('the signature was refused');
  expect(forged).not.toContain('welcome');
});

/** Everything that a shell and what it runs have written. */
function shell(script: string, cwd: string, env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', script], { cwd, env: { ...process.env, ...env, NO_COLOR: '1' } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
    child.on('close', () => resolve(text));
  });
}
