import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(root + file, 'utf8');
const json = (file: string) => JSON.parse(read(file));

interface Row {
  readonly what: string;
  readonly range: string;
  readonly tested: readonly string[];
  readonly proofs: readonly string[];
}

const lines = read('docs/support.md')
  .split('\n')
  .filter((line) => /^\| (?!what)/.test(line));
const rows = lines.map((line): Row => {
  const [, what = '', versions = '', tested = '', proofs = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
  return {
    what: what.split(',')[0] ?? '',
    range: versions.replaceAll('`', '').replaceAll('\\|', '|'),
    tested: tested.split(', '),
    proofs: [...proofs.matchAll(/`([^`]+)`/g)].map(([, command = '']) => command),
  };
});
const rangeOf = (name: string) => rows.find(({ what }) => what === name)?.range;
const manifest = json('package.json');
/** What the continuous integration runs: its own steps, and those of the gates that it calls. */
const runs = read('.ci/run') + read('.github/workflows/ci.yml');

it('the support table lists every peer dependency with the range of the manifest', () => {
  const peers = Object.fromEntries(Object.keys(manifest.peerDependencies).map((name) => [name, rangeOf(name)]));
  expect(peers).toEqual(manifest.peerDependencies);
  expect([rangeOf('Node.js'), rangeOf('zod')]).toEqual([manifest.engines.node, manifest.dependencies.zod]);
});

it('the support table names the versions that the tests install', () => {
  const consumers = json('test/packed/package.json').devDependencies;
  const runtimes = json('test/runtimes/package.json').dependencies;
  const installed: Record<string, readonly string[]> = {
    'Node.js': ['20', ...['node-22', 'node-24'].map((name) => runtimes[name].replace('npm:node@', '').split('.')[0])],
    TypeScript: Object.keys(consumers).flatMap((name) => /^typescript-(.*)$/.exec(name)?.[1] ?? []),
    express: [manifest.devDependencies.express4, manifest.devDependencies.express],
    fastify: [manifest.devDependencies.fastify],
    hono: [manifest.devDependencies.hono49, manifest.devDependencies.hono],
    next: [
      json('test/packed/next/next-15/package.json').dependencies.next,
      json('test/packed/package.json').dependencies.next,
    ],
    'better-sqlite3': [runtimes['better-sqlite3']],
    'pg-boss': [manifest.devDependencies['pg-boss'], runtimes['pg-boss-12']],
  };
  const of = (name: string) => installed[name] ?? [manifest.devDependencies[name] ?? manifest.dependencies[name]];
  const shortened = (version: string) => /\d+(?:\.\d+)?/.exec(version.replace(/^npm:\S+@/, ''))?.[0];
  for (const { what, tested } of rows) expect([what, tested]).toEqual([what, of(what).map(shortened)]);
  expect(rows.length).toBe(Object.keys(manifest.peerDependencies).length + 3);
});

it('every row of the support table names a command that continuous integration runs', () => {
  const proofs = new Set(rows.flatMap((row) => row.proofs));
  const missing = [...proofs].filter(
    (command) =>
      !runs.includes(
        command
          .replace('npm test', 'npm run --silent test:coverage')
          .replace(/^npm run (next|consumers)$/, 'npm run --silent $1'),
      ),
  );
  expect(missing).toEqual([]);
  expect(rows.filter((row) => row.proofs.length === 0)).toEqual([]);
});
