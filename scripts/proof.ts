// `npm run proof`: what has to hold before a release and takes too long for the gates. `npm run proof -- floors mutation` runs
// two parts, and `npm run proof -- 'Node.js 24'` the steps with that name. Unnamed, a step runs once for each commit.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, platform, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import floors from '../test/floors/package.json' with { type: 'json' };
import applications from '../test/packed/package.json' with { type: 'json' };
import runtimes from '../test/runtimes/package.json' with { type: 'json' };

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/proof.md');
const cache = join(root, 'node_modules/.cache/proof');
const vitest = 'node node_modules/vitest/vitest.mjs run --project';
const TESTS = /Tests\s+(.*passed.*?)\s*$/m;
const MAX_CHARACTERS = 20_000;

interface Step {
  readonly part: string;
  readonly what: string;
  /** What took part, as docs/support.md names it. */
  readonly versions: string;
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The alias of a Node.js in test/runtimes. Default: the one that runs this. */
  readonly node?: string;
  /** Runs in a copy of the project in which every peer is at its floor. */
  readonly onFloors?: true;
  /** Finds the result in the output. */
  readonly result: RegExp;
}

interface Row {
  readonly part: string;
  readonly what: string;
  readonly versions: string;
  readonly result: string;
  readonly commit: string;
  readonly date: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '10' }, deliveries: { type: 'string', default: '1000000' } },
});
const { minutes, deliveries } = values;
const PROOF = { PATHFINDER_PROOF: '1' };
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const peers = { ...manifest.devDependencies, zod: manifest.dependencies.zod };
const ALIASES: Readonly<Record<string, string>> = { express4: 'express', hono49: 'hono', 'pg-boss-12': 'pg-boss' };
const versionOf = (version = '') => version.replace(/^(?:npm:\S+@|\^)/, '');
const listed = (packages: Readonly<Record<string, string>>, names: readonly string[]) =>
  names.flatMap((name) => (packages[name] ? `${ALIASES[name] ?? name} ${versionOf(packages[name])}` : [])).join(', ');
const own = listed(peers, [...Object.keys(manifest.peerDependencies), 'express4', 'hono49', 'zod']);
const nodes = Object.entries(runtimes.dependencies).filter(([name]) => name.startsWith('node-'));
const compilers = Object.keys(applications.devDependencies).flatMap((name) => /^typescript-(.*)/.exec(name)?.[1] ?? []);
const sqlite = `${vitest} tests test/engines/sqlite test/engines/store-contract test/crash/sqlite`;
const pgBoss = `${vitest} tests test/engines/pg-boss test/engines/server-stores test/engines/outages test/crash/pg-boss`;
const mutate = (area: string): Step => ({
  part: 'mutation',
  what: `mutation score of ${area}`,
  versions: '',
  command: 'npm run --silent mutation',
  env: { MUTATED: area },
  result: /All files\s*\|\s*([\d.]+)/,
});

const STEPS: readonly Step[] = [
  ...nodes.map(
    ([node, version]): Step => ({
      part: 'suite',
      what: `the whole suite on Node.js ${versionOf(version)}`,
      versions: `Node.js ${versionOf(version)}`,
      command: `${vitest} tests`,
      env: PROOF,
      node,
      result: TESTS,
    }),
  ),
  {
    part: 'suite',
    what: 'the whole suite, with coverage',
    versions: `Node.js ${process.versions.node}, ${own}`,
    command: `${vitest} tests --coverage`,
    env: PROOF,
    result: TESTS,
  },
  ...nodes.flatMap(([node]): Step[] => [
    ...['better-sqlite3', 'node:sqlite'].map(
      (driver): Step => ({
        part: 'drivers',
        what: `SQLite through ${driver} on ${node.replace('node-', 'Node.js ')}`,
        versions: driver === 'better-sqlite3' ? listed(runtimes.dependencies, [driver]) : driver,
        command: sqlite,
        env: { PATHFINDER_SQLITE_DRIVER: driver },
        node,
        result: TESTS,
      }),
    ),
    {
      part: 'drivers',
      what: `the newest pg-boss on ${node.replace('node-', 'Node.js ')}`,
      versions: listed(runtimes.dependencies, ['pg-boss-12']),
      command: pgBoss,
      env: { PATHFINDER_PG_BOSS: 'pg-boss-12' },
      node,
      result: TESTS,
    },
  ]),
  {
    part: 'floors',
    what: 'adapters, engines and telemetry with every peer at the floor of its range',
    versions: listed(floors.dependencies, Object.keys(floors.dependencies)),
    command: `${vitest} tests test/adapters test/engines test/otel test/crash`,
    onFloors: true,
    result: TESTS,
  },
  {
    part: 'floors',
    what: 'SQLite through the oldest better-sqlite3',
    versions: listed(floors.dependencies, ['better-sqlite3']),
    command: sqlite,
    env: { PATHFINDER_SQLITE_DRIVER: 'better-sqlite3' },
    onFloors: true,
    result: TESTS,
  },
  {
    part: 'types',
    what: 'consumers of every adapter, ESM and CommonJS',
    versions: compilers.map((version) => `TypeScript ${version}`).join(', '),
    command: `${vitest} packed test/packed/consumers.test.ts`,
    env: PROOF,
    result: TESTS,
  },
  ...['15-floor', '15', '16'].map((major): Step => {
    const folder = major === '16' ? 'test/packed' : `test/packed/next/next-${major}`;
    const { dependencies } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    return {
      part: 'bundlers',
      what: 'applications of the App Router and the Pages Router',
      versions: `next ${dependencies.next}`,
      command: `${vitest} packed test/packed/next.test.ts`,
      env: { ...PROOF, NEXT_MAJOR: major },
      result: TESTS,
    };
  }),
  {
    part: 'bundlers',
    what: 'a receiver on SQLite bundled by webpack and Turbopack',
    versions: '',
    command: `${vitest} packed test/packed/bundles.test.ts`,
    env: PROOF,
    result: TESTS,
  },
  ...['sqlite', 'bullmq', 'pg-boss'].map(
    (engine): Step => ({
      part: 'crash',
      what: `${minutes} minutes of kills, freezes, locks and full disks on ${engine}`,
      versions: '',
      command: `npm run --silent crash -- --engine ${engine} --minutes ${minutes}`,
      result: /^in all: (.*)$/m,
    }),
  ),
  ...['core', 'engines/shared', 'engines/sqlite', 'adapters'].map(mutate),
  {
    part: 'fuzz',
    what: `${deliveries} mutated deliveries over each adapter`,
    versions: '',
    command: `${vitest} tests test/adapters/fuzz.test.ts`,
    env: { FUZZ_DELIVERIES: deliveries },
    result: TESTS,
  },
];

const parts = [...new Set(STEPS.map(({ part }) => part))];
const isNamed = ({ part, what, versions }: Step, name: string) => part === name || `${what} ${versions}`.includes(name);
const unknown = positionals.filter((name) => !STEPS.some((step) => isNamed(step, name)));
if (unknown.length > 0) {
  console.error(`No part or step is named ${unknown.join(', ')}. The parts are ${parts.join(', ')}.`);
  process.exit(2);
}
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
const rows = existsSync(page) ? rowsOf(readFileSync(page, 'utf8')) : [];
const chosen = STEPS.filter((step) => {
  const { what, versions } = step;
  const isDone = rows.some((row) => row.what === what && row.versions === versions && row.commit === commit);
  return positionals.length > 0 ? positionals.some((name) => isNamed(step, name)) : !isDone;
});
let copied: string | undefined;
let failed = 0;
for (const step of chosen) {
  console.log(`${step.part}: ${step.what}: started at ${new Date().toISOString()}`);
  const row = run(step);
  if (row.result.startsWith('FAILED')) failed++;
  console.log(`${row.part}: ${row.what}: ${row.result}`);
  // Written after each step, so that a run that is cut off can go on. A step that failed leaves no row.
  const others = rows.filter(({ what, versions }) => what !== row.what || versions !== row.versions);
  rows.splice(0, rows.length, ...others, ...(row.result.startsWith('FAILED') ? [] : [row]));
  writeFileSync(page, pageOf(rows));
}
console.log(pageOf(rows).slice(pageOf(rows).indexOf('|')));
process.exitCode = failed > 0 ? 1 : 0;

function run({ part, what, versions, command, env, node, onFloors, result }: Step): Row {
  const binary = node ? join(fixture('test/runtimes'), 'node_modules', node, 'bin/node') : process.execPath;
  const path = [dirname(binary), process.env.PATH].join(delimiter);
  const cwd = onFloors ? floorsProject() : root;
  const modules = node ? { NODE_PATH: join(fixture('test/runtimes'), 'node_modules') } : {};
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd,
    env: { ...process.env, ...modules, ...env, PATH: path, CI: 'true', NO_COLOR: '1' },
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const output = stripVTControlCharacters(stdout + stderr);
  const found = result.exec(output)?.[1];
  if (status !== 0 || !found) console.error(`${output.slice(-MAX_CHARACTERS)}\nTo run it alone: ${command}`);
  return {
    part,
    what,
    versions,
    result: status === 0 && found ? found : `FAILED with ${status}`,
    commit,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** Installs what a fixture's lock file names, once for all runs. */
function fixture(name: string): string {
  const folder = join(cache, name.replaceAll('/', '-'));
  const lock = readFileSync(join(root, name, 'package-lock.json'), 'utf8');
  if (existsSync(join(folder, '.installed')) && readFileSync(join(folder, '.installed'), 'utf8') === lock)
    return folder;
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, name, file), join(folder, file));
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'ignore' });
  writeFileSync(join(folder, '.installed'), lock);
  return folder;
}

/** A clone of this commit whose peers are those of test/floors. */
function floorsProject(): string {
  if (copied) return copied;
  copied = mkdtempSync(join(tmpdir(), 'pathfinder-floors-'));
  process.once('exit', () => rmSync(String(copied), { recursive: true, force: true }));
  const at = { cwd: copied, stdio: 'ignore' } as const;
  execFileSync('git', ['clone', '--quiet', root, '.'], at);
  const project = JSON.parse(readFileSync(join(copied, 'package.json'), 'utf8'));
  // better-sqlite3 is compiled when it is installed.
  Object.assign(project.allowScripts, { 'better-sqlite3': true });
  Object.assign(project.devDependencies, floors.dependencies);
  writeFileSync(join(copied, 'package.json'), JSON.stringify(project));
  execFileSync('npm', ['install', '--legacy-peer-deps', '--no-audit'], at);
  return copied;
}

function pageOf(all: readonly Row[]): string {
  const order = (row: Row) => STEPS.findIndex(({ what, versions }) => what === row.what && versions === row.versions);
  const lines = all
    .filter((row) => order(row) >= 0)
    .toSorted((a, b) => order(a) - order(b))
    .map((row) => `| ${Object.values(row).join(' | ')} |`);
  return [
    '# What was proven',
    `\`npm run proof\` writes this page; do not edit it. Each row is a run that passed, on ${platform()} ${arch()} with ${availableParallelism()} cores. The\ngates of \`.ci/run\` run for every change besides.`,
    ['| part | what | versions | result | commit | date |', '|---|---|---|---|---|---|', ...lines, ''].join('\n'),
  ].join('\n\n');
}

function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| (?!part)(.*) \|$/gm)].map(([, cells = '']) => {
    const [part = '', what = '', versions = '', result = '', commit = '', date = ''] = cells.split(' | ');
    return { part, what, versions, result, commit, date };
  });
}
