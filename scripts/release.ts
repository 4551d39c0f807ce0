import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entries, importName } from './entries.ts';
import { problemsOf, problemsOfSize, unreachedOf } from './package-files.ts';

// Everything that a release goes through but the publishing itself, which only `--publish` does: from the release workflow, after
// the same checks. Expects a fresh `dist`.
const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => join(root, 'node_modules/.bin', name);
const folder = mkdtempSync(join(tmpdir(), 'pathfinder-release-'));

try {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder])) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  const tarball = join(folder, packed.filename);
  const files = packed.files.map(({ path }) => path);
  const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
  const problems = [...problemsOf(files), ...unreachedOf(files, textOf), ...problemsOfSize(packed.size)];
  if (problems.length > 0) throw new Error(problems.join('\n'));
  console.log(
    `${packed.filename}: ${packed.files.length} files, ${Math.round(packed.size / 1000)} kB, none but what belongs`,
  );

  step('publint', () => run(bin('publint'), ['--strict']));
  step('attw', () => run(bin('attw'), [tarball]));
  step('size', () => run('npm', ['run', '--silent', 'size']));
  step('smoke', () => smoke(tarball));
  if (process.argv.includes('--publish')) {
    execFileSync(bin('changeset'), ['publish'], { cwd: root, stdio: 'inherit' });
  } else {
    console.log('A dry run: nothing was published.');
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Unpacks the tarball as an integrator has it, beside zod alone, and loads what needs nothing else. */
function smoke(tarball: string): void {
  const modules = join(folder, 'app/node_modules');
  const installed = join(modules, '@pathfinder/webhooks');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', tarball, '-C', installed, '--strip-components', '1']);
  symlinkSync(join(root, 'node_modules/zod'), join(modules, 'zod'));
  const names = Object.keys(entries).map(importName);
  writeFileSync(join(folder, 'app/smoke.mjs'), smokeTest(names));
  run(process.execPath, ['smoke.mjs'], join(folder, 'app'));
  run(process.execPath, [join(installed, 'dist/cli.js'), '--version'], join(folder, 'app'));
}

// The vector is of Python's hmac module: what this package signs itself would prove nothing.
function smokeTest(names: readonly string[]): string {
  return `
    import assert from 'node:assert/strict';
    import { createRequire } from 'node:module';
    import { verifyWebhookSignature, WebhookHandler } from '@pathfinder/webhooks';
    const optional = /^Cannot find (?:package|module) '(?!@pathfinder)/;
    for (const name of ${JSON.stringify(names)}) {
      for (const load of [(one) => import(one), async (one) => createRequire(import.meta.url)(one)]) {
        await load(name).catch((error) => assert.match(error.message, optional, name));
      }
    }
    const body = '{"id":"evt_1","type":"user.deleted","api_version":"1.0","created":1709280000,"data":{"user_id":"u"}}';
    const signature = 'sha256=7113f3d9e758f138115e2197d7175db2b1c933caad4ca9e22ddec3fad2b33976';
    assert.equal(verifyWebhookSignature(body, signature, 'smoke-test-secret'), true);
    assert.equal(verifyWebhookSignature(body + ' ', signature, 'smoke-test-secret'), false);
    const webhooks = new WebhookHandler('smoke-test-secret');
    webhooks.on('user.deleted', () => {});
    assert.equal((await webhooks.handle(body, signature)).status, 'processed');
    assert.equal((await webhooks.handle(body, signature)).status, 'duplicate');
  `;
}

function step(name: string, work: () => void): void {
  work();
  console.log(`${name}: passed`);
}

function run(command: string, args: readonly string[], cwd = root): string {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${[command, ...args].join(' ')} failed:\n${stdout}${stderr}`);
  }
}
