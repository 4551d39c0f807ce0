import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureBuild } from './ensure-build.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/**
 * Installs what a fixture's lock file names, and this package as it is packed, in a new folder outside of the repository.
 *
 * @param fixture - The folder with `package.json` and `package-lock.json`, from the root.
 * @returns The new folder, which the caller removes.
 */
export async function installPacked(fixture: string): Promise<string> {
  await ensureBuild();
  const folder = await installFixture(fixture);
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', packing, { cwd: root });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await npm(folder, 'install', '--no-save', `./${filename}`);
  return folder;
}

/** Installs what a fixture's lock file names in a new folder outside of the repository, which the caller removes. */
export async function installFixture(fixture: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-'));
  try {
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, fixture, file), join(folder, file));
    await npm(folder, 'ci');
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function npm(folder: string, ...args: readonly string[]) {
  return run('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder });
}
