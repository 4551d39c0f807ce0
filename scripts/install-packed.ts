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
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-'));
  try {
    await install(fixture, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

async function install(fixture: string, folder: string): Promise<void> {
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, fixture, file), join(folder, file));
  const npm = (...args: string[]) =>
    run('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder });
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', packing, { cwd: root });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await npm('ci');
  await npm('install', '--no-save', `./${filename}`);
}
