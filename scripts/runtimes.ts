// Runs the tests of an engine on other versions of Node, which come from npm, with each driver that it takes:
// `npm run runtimes -- sqlite|pg-boss`. All of them have to pass, and none may be skipped.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installFixture } from '../test/support/build.ts';

interface Engine {
  readonly drivers: readonly string[];
  readonly variable: string;
  readonly tests: readonly string[];
  /** A program that prints the version of the engine behind the driver that is its argument. */
  readonly version: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
// Of what a run says whose tests fail.
const MOST_CHARACTERS = 10_000;
const NODES = ['node-22', 'node-24'];
const ENGINES: Readonly<Record<string, Engine>> = {
  sqlite: {
    drivers: ['libsql', 'better-sqlite3', 'node:sqlite'],
    variable: 'PATHFINDER_SQLITE_DRIVER',
    tests: ['test/engines', 'test/crash'],
    version: `const driver = require(process.argv[1]);
      const db = new (driver.DatabaseSync ?? driver)(':memory:');
      process.stdout.write(db.prepare('SELECT sqlite_version() AS version').get().version);`,
  },
  'pg-boss': {
    drivers: ['pg-boss', 'pg-boss-12'],
    variable: 'PATHFINDER_PG_BOSS',
    tests: [
      'test/engines/pg-boss-queue.test.ts',
      'test/engines/server-stores.test.ts',
      'test/engines/outages.test.ts',
      'test/crash/pg-boss.test.ts',
    ],
    version: "process.stdout.write(require(process.argv[1] + '/package.json').version)",
  },
};

interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly status: string; readonly name: string }[];
}

const [name = ''] = process.argv.slice(2);
const engine = ENGINES[name];
if (!engine) {
  console.error(`Name an engine: ${Object.keys(ENGINES).join(', ')}.`);
  process.exit(2);
}
const folder = await installFixture('test/runtimes');
try {
  const runs = NODES.flatMap((node) => engine.drivers.map((driver) => runOn(engine, node, driver)));
  console.log(`${runs.filter(Boolean).length} of ${runs.length} pass`);
  process.exitCode = runs.every(Boolean) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function runOn({ variable, tests, version }: Engine, node: string, driver: string): boolean {
  const binary = join(folder, 'node_modules', node, 'bin/node');
  const report = join(folder, 'report.json');
  // Drivers that are not among the package's own dependencies are found there.
  const env = {
    ...process.env,
    NODE_PATH: join(folder, 'node_modules'),
    [variable]: driver,
    VITEST_JSON: report,
    NO_COLOR: '1',
  };
  const ask = (...args: string[]) =>
    execFileSync(binary, ['--no-warnings', ...args], { cwd: root, env, encoding: 'utf8' });
  const what = `Node ${ask('-p', 'process.versions.node').trim()}, ${driver} (${ask('-e', version, driver)})`;
  rmSync(report, { force: true });
  const beganMs = performance.now();
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...tests];
  const { status, stderr } = spawnSync(binary, ['--no-warnings', ...vitest], {
    cwd: root,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  const counts = JSON.parse(readFileSync(report, 'utf8')) as Counts;
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = counts;
  const good = status === 0 && passed > 0 && failed === 0 && skipped === 0;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${what}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`,
  );
  if (!good) console.log(stderr.slice(-MOST_CHARACTERS));
  return good;
}
