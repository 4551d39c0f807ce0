import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureBuild } from '../test/support/build.ts';
import type { Gate } from './harness.ts';

const ROUNDS = 41;
const MOST_OF_BARE = 1.5;
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** How long the command takes to start, against a bare Node that does nothing: whole processes, one after the other in turn. */
export async function benchCli(): Promise<Gate[]> {
  await ensureBuild();
  const contenders = {
    'node -e 0': ['-e', '0'],
    '--version': [cli, '--version'],
    'send --help': [cli, 'send', '--help'],
  };
  const samples = new Map(Object.keys(contenders).map((name): [string, number[]] => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, args] of Object.entries(contenders)) {
      const startedAtMs = performance.now();
      const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
      samples.get(name)?.push(performance.now() - startedAtMs);
      if (status !== 0) throw new Error(`${name} ended with code ${status}.`);
    }
  }
  console.log('\nHow long does the command take to start? (medians of whole processes)');
  const medians = [...samples].map(([name, ms]) => ({ name, ms: ms.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0 }));
  for (const { name, ms } of medians) console.log(`  ${name.padEnd(44)} ${ms.toFixed(1).padStart(9)} ms`);
  const [bare, ...ours] = medians;
  return ours.map(({ name, ms }) => ({
    what: `${name}: ${MOST_OF_BARE} times bare Node / its time`,
    ratio: (MOST_OF_BARE * (bare?.ms ?? 0)) / ms,
    least: 1,
  }));
}
