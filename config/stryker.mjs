// `npm run mutation` mutates the core. MUTATED names another area, and vitest.config.ts has the tests that judge it.
const AREAS = {
  core: [
    'src/signature.ts',
    'src/parse.ts',
    'src/receive.ts',
    'src/accept.ts',
    'src/outcome.ts',
    'src/run/process.ts',
    'src/run/record.ts',
    'src/run/dispatch.ts',
    'src/run/guards.ts',
    'src/run/handler-run.ts',
    'src/run/attempt.ts',
    'src/run/checkpoints.ts',
    'src/run/work.ts',
    'src/run/lanes.ts',
    'src/run/lent-slot.ts',
    'src/run/stop-signal.ts',
    'src/run/lease.ts',
    'src/run/single-flight.ts',
    'src/run/steps.ts',
    'src/run/signed-event.ts',
    'src/run/ask.ts',
    'src/run/guarded-store.ts',
    'src/run/guarded-signal.ts',
    'src/shared/guard.ts',
    'src/respond.ts',
    'src/engines/memory/store.ts',
    'src/engines/memory/row.ts',
    'src/engines/memory/rows.ts',
    'src/engines/memory/finished.ts',
    'src/engines/memory/versions.ts',
    'src/hmac/*.ts',
  ],
  'engines/shared': ['src/engines/shared/*.ts'],
  'engines/sqlite': ['src/engines/sqlite/*.ts'],
  adapters: ['src/adapters/*.ts'],
};
/** The least score of an area, in percent: a promise for the core, two below what was measured for the others. */
const LEAST = { core: 95, adapters: 80 };
const area = process.env.MUTATED ?? 'core';

export default {
  testRunner: 'vitest',
  mutate: AREAS[area],
  coverageAnalysis: 'perTest',
  thresholds: { high: 98, low: 95, break: LEAST[area] ?? null },
  reporters: ['clear-text', 'progress', 'html'],
  htmlReporter: { fileName: 'reports/mutation.html' },
  ignorePatterns: ['dist', 'docs', 'coverage', 'bench'],
  concurrency: 2,
};
