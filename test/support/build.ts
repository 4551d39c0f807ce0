import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildEntries, hmac } from '../../scripts/entries.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, 'node_modules/.cache/pathfinder');
const inputs = ['src', 'package.json', 'scripts/entries.ts', 'tsup.config.ts'].map((input) => join(root, input));
// A build empties dist first, so it is over when all of these are there.
const builtFiles = [...Object.keys(buildEntries()), ...Object.keys(hmac).map((name) => `hmac/${name}`)]
  .flatMap((name) => ['js', 'cjs', 'd.ts', 'd.cts'].map((ending) => join(root, `dist/${name}.${ending}`)))
  .concat(join(root, 'dist/cli.js'), join(root, 'dist/cli.LICENSE.txt'));
const STALE_LOCK_MS = 300_000;
const execute = promisify(execFile);

/** Builds `dist` unless it is newer than everything it is made of. Test files that need it may call this concurrently. */
export async function ensureBuild(): Promise<void> {
  await once('build', builtFiles, newest(inputs), async () => {
    execFileSync('npm', ['run', 'build', '--silent'], { cwd: root, stdio: 'pipe' });
  });
}

/** The path of the package as `npm pack` makes it of the current sources. */
export async function packedTarball(): Promise<string> {
  await ensureBuild();
  const tarball = join(cache, 'package.tgz');
  await once(
    'pack',
    [tarball],
    newest([join(root, 'dist'), join(root, 'README.md'), join(root, 'skills')]),
    async () => {
      const folder = mkdtempSync(join(cache, 'pack-'));
      const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
      const { stdout } = await execute('npm', packing, { cwd: root });
      const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
      cpSync(join(folder, filename), tarball);
      rmSync(folder, { recursive: true });
    },
  );
  return tarball;
}

/**
 * Installs what a fixture's lock file names, and the packed package.
 *
 * @param fixture - The folder with `package.json` and `package-lock.json`, relative to the root.
 * @param folder - Where to install. Default: a new folder outside of the repository, which the caller removes.
 */
export async function installPacked(
  fixture: string,
  folder = mkdtempSync(join(tmpdir(), 'pathfinder-')),
): Promise<string> {
  const tarball = await packedTarball();
  await once(fixture.replaceAll('/', '-'), [join(folder, '.installed')], 1, async () => {
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, fixture, file), join(folder, file));
    await npm(folder, 'ci');
    await npm(folder, 'install', '--no-save', tarball);
    writeFileSync(join(folder, '.installed'), '');
  });
  return folder;
}

function npm(folder: string, ...args: readonly string[]) {
  return execute('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder });
}

/** Makes files in one of several processes, unless they are at least as new as they have to be. */
async function once(
  name: string,
  files: readonly string[],
  minTimeMs: number,
  make: () => Promise<void>,
): Promise<void> {
  const lock = join(cache, `${name}.lock`);
  const isFresh = () => files.every((file) => existsSync(file) && changedAt(file) >= minTimeMs);
  mkdirSync(cache, { recursive: true });
  while (!isFresh()) {
    if (!takeLock(lock)) {
      await setTimeout(250);
      continue;
    }
    try {
      if (!isFresh()) await make();
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
}

function takeLock(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    if (Date.now() - changedAt(lock) > STALE_LOCK_MS) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

function newest(paths: readonly string[]): number {
  return Math.max(
    ...paths.map((path) => {
      const children = statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [];
      return Math.max(changedAt(path), children.length > 0 ? newest(children) : 0);
    }),
  );
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
