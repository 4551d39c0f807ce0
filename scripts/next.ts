import { spawnSync } from 'node:child_process';

// `npm run next`, or another major that has a lock in test/next: `npm run next -- 15`.
const [major = '16', ...rest] = process.argv.slice(2);
const { status } = spawnSync('vitest', ['run', '--config', 'vitest.next.config.ts', ...rest], {
  stdio: 'inherit',
  // Set in each test process before Next is loaded, which else takes itself for a development server.
  // A report of its own would take the place of the other tests' report.
  env: { ...process.env, NEXT_MAJOR: major, NEXT_TELEMETRY_DISABLED: '1', VITEST_JSON: '' },
});
process.exitCode = status ?? 1;
