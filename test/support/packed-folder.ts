import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the first test file that needs it installs `test/packed` and the packed package. */
    packedFolder: string;
  }
}

let folder: string;

/** Provides an empty folder outside of the repository, where no package of the repository is found. */
export function setup({ provide }: TestProject): void {
  folder = mkdtempSync(join(tmpdir(), 'pathfinder-packed-'));
  provide('packedFolder', folder);
}

export function teardown(): void {
  rmSync(folder, { recursive: true, force: true });
}
