import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export { openDatabase, SQLITE_DRIVER } from './sqlite-driver.ts';

/** A folder for the databases of one test file, gone when its tests are over. */
export function databaseFolder(): { file(name: string): string } {
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-sqlite-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return { file: (name) => join(folder, name) };
}

/** One clock for any number of stores: as this machine's, but that a suite moves it. */
export function movedClock(): { now(): number; readonly advance: (ms: number) => void } {
  let aheadMs = 0;
  const advance = (ms: number) => {
    aheadMs += ms;
  };
  return { now: () => Date.now() + aheadMs, advance };
}
