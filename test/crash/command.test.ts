import { once } from 'node:events';
import { expect, it } from 'vitest';
import { start } from '../support/example-process.ts';

const PATIENCE_MS = 180_000;

// That it exits with 0 without a fault is shown by the proof, which runs it for each engine.
/** Runs the command; its exit code, and what it says last. */
async function crash(...args: readonly string[]): Promise<readonly [code: unknown, last: string | undefined]> {
  const { child, lines } = start(['test/crash/run.ts', ...args]);
  const [code] = await once(child, 'close');
  return [code, lines.all.at(-1)];
}

it('npm run crash exits with 1 when an acknowledged event is lost', { timeout: PATIENCE_MS }, async () => {
  const last = 'Something acknowledged was not completed once: see above.';
  expect(await crash('--minutes', '0.05', '--twin', 'ack-before-commit')).toEqual([1, last]);
});
