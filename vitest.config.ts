import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { pathsField } from './scripts/entries.ts';
import { runReporter } from './test/support/run-reporter.ts';
import { SlowFirst } from './test/support/slow-first.ts';

const fastCheckSeed = Number(process.env.FAST_CHECK_SEED ?? Date.now() % 2 ** 31);
const jsonReport = process.env.VITEST_JSON;

/** Applications that install the packed package: `npm ci`, `next build` and `tsc` take minutes. */
const packed = ['test/packed/*.test.ts'];
/** Takes minutes, so only the proof runs it. */
const onlyProved = ['test/packed/bundles.test.ts'];
/** Reads docs/proof.md, which the proof is still writing. */
const notProved = ['test/gates/support-table.test.ts'];
const isProof = process.env.PATHFINDER_PROOF !== undefined;
/** The tests that say something about a mutant, by what is mutated: fast ones, in one process. */
const MUTATED: Readonly<Record<string, readonly string[]>> = {
  core: [
    'test/{core,run,hmac,report,retry,shared}/*.test.ts',
    'test/engines/{memory-queue,memory-store,store-contract}.test.ts',
  ],
  engines: ['test/engines/{sqlite,memory}-*.test.ts', 'test/engines/shared/*.test.ts'],
  adapters: ['test/adapters/*.test.ts'],
};

const projects: readonly TestProjectConfiguration[] = [
  {
    extends: true,
    test: {
      name: 'tests',
      include: ['test/**/*.test.ts'],
      exclude: [...packed, ...(isProof ? notProved : []), '**/node_modules/**'],
    },
  },
  {
    extends: true,
    test: {
      name: 'packed',
      include: packed,
      exclude: isProof ? [] : onlyProved,
      globalSetup: ['test/support/packed-folder.ts'],
      env: { NEXT_TELEMETRY_DISABLED: '1' },
      testTimeout: 30_000,
    },
  },
];
const mutation: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'mutation',
    include: [...(MUTATED[process.env.MUTATED?.split('/')[0] ?? 'core'] ?? [])],
    exclude: ['test/core/misbehaviour.test.ts', 'test/adapters/{fuzz,matrix,matrix-web}.test.ts'],
  },
};

export default defineConfig({
  resolve: {
    alias: Object.entries(pathsField()).map(([name, [source = '']]) => ({
      find: new RegExp(`^${name}$`),
      replacement: fileURLToPath(new URL(source, import.meta.url)),
    })),
  },
  test: {
    // Stryker chooses no project, so it is offered only one.
    projects: process.env.STRYKER_MUTATOR_WORKER === undefined ? [...projects] : [mutation],
    // Most tests wait for sockets, processes and servers, so two cores are busy only with three workers.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    sequence: { sequencer: SlowFirst },
    expect: { requireAssertions: true },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/services/global-setup.ts'],
    setupFiles: ['test/support/seed-fast-check.ts'],
    provide: { fastCheckSeed },
    reporters: [
      'default',
      runReporter({ fastCheckSeed, refuseSkips: process.env.CI === 'true' }),
      ...(jsonReport ? [['json', { outputFile: jsonReport }] as ['json', { outputFile: string }]] : []),
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // A process of its own: the tests run the built command.
      exclude: ['src/cli/**'],
      reporter: ['text-summary', 'html', 'json-summary'],
      thresholds: { lines: 95, branches: 90 },
    },
  },
});
