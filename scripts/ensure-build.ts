import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lock = join(root, 'node_modules', '.ensure-build');
const staleLockMs = 300_000;

/** Builds `dist` unless it is newer than everything it is made of. Test files that need it may call this side by side. */
export async function ensureBuild(): Promise<void> {
  while (!isFresh()) {
    if (!takeLock()) {
      await setTimeout(250);
      continue;
    }
    try {
      if (!isFresh()) execFileSync('npm', ['run', 'build', '--silent'], { cwd: root, stdio: 'pipe' });
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
    return;
  }
}

function isFresh(): boolean {
  // Copied when all else of the last build is written.
  const built = changedAt(join(root, 'dist', 'cli.LICENSE.txt'));
  const inputs = ['src', 'package.json', 'scripts/entries.ts', 'tsup.config.ts', 'tsup.cli.config.ts'];
  return built > 0 && inputs.every((input) => newest(join(root, input)) <= built);
}

function newest(path: string): number {
  if (!statSync(path).isDirectory()) return changedAt(path);
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function takeLock(): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    if (Date.now() - changedAt(lock) > staleLockMs) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}
