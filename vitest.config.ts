import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { pathsField } from './scripts/entries.ts';
import { runReporter } from './scripts/run-reporter.ts';

const fastCheckSeed = Number(process.env.FAST_CHECK_SEED ?? Date.now() % 2 ** 31);
const jsonReport = process.env.VITEST_JSON;

export default defineConfig({
  resolve: {
    alias: Object.entries(pathsField()).map(([name, [source = '']]) => ({
      find: new RegExp(`^${name}$`),
      replacement: fileURLToPath(new URL(source, import.meta.url)),
    })),
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/next/**', '**/node_modules/**'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/services/global-setup.ts'],
    setupFiles: ['scripts/seed-fast-check.ts'],
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
