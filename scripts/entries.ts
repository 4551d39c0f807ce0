/** Every public subpath and the source behind it. After a change here, `npm run entries` brings the manifests in line. */
export const entries: Readonly<Record<string, string>> = {
  '.': 'src/index.ts',
  './verify': 'src/verify.ts',
  './express': 'src/adapters/express.ts',
  './fastify': 'src/adapters/fastify.ts',
  './next': 'src/adapters/next.ts',
  './hono': 'src/adapters/hono.ts',
  './fetch': 'src/adapters/fetch.ts',
  './node': 'src/adapters/node.ts',
  './sqlite': 'src/engines/sqlite/index.ts',
  './postgres': 'src/engines/postgres/index.ts',
  './redis': 'src/engines/redis/index.ts',
  './bullmq': 'src/engines/bullmq/index.ts',
  './pg-boss': 'src/engines/pg-boss/index.ts',
  './otel': 'src/otel/index.ts',
  './client': 'src/client/index.ts',
  './testing': 'src/testing/index.ts',
};

/** The builds behind `#hmac`, and who takes which; the first condition that matches wins. */
export const hmac = {
  node: { source: 'src/hmac/node.ts', conditions: ['node', 'bun', 'deno'] },
  workerd: { source: 'src/hmac/workerd.ts', conditions: ['workerd'] },
  portable: { source: 'src/hmac/portable.ts', conditions: ['default'] },
} as const;

const packageName = '@pathfinder/webhooks';
const runnable = [
  'scripts/*.ts',
  'bench/*.ts',
  'bench/http/process.ts',
  'bench/stores/backlog-process.ts',
  'test/support/demo-twins/*.ts',
  'examples/**/*.{ts,tsx}',
  'test/types/*.test-d.ts',
];

/** `package.json` → `exports`. */
export function exportsField() {
  return { ...mapEntries((subpath) => [subpath, builtFiles(builtName(subpath))]), './package.json': './package.json' };
}

/** `package.json` → `imports`. */
export function importsField() {
  const builds = Object.entries(hmac).flatMap(([name, { conditions }]) =>
    conditions.map((condition) => [condition, builtFiles(`hmac/${name}`)]),
  );
  return { '#hmac': Object.fromEntries(builds) };
}

/** `package.json` → `typesVersions`, for resolvers that know no `exports`; those are CommonJS. */
export function typesVersionsField() {
  const subpaths = Object.keys(entries).filter((subpath) => subpath !== '.');
  return {
    '*': Object.fromEntries(subpaths.map((subpath) => [builtName(subpath), [`./dist/${builtName(subpath)}.d.cts`]])),
  };
}

/** `tsconfig.json` → `paths`, so that tests, examples and docs import the package by its name. */
export function pathsField() {
  return {
    '#hmac': [`./${hmac.node.source}`],
    ...mapEntries((subpath, source) => [importName(subpath), [`./${source}`]]),
  };
}

/** `config/knip.json` → `entry`: what is used from outside. A trailing `!` marks what ships. */
export function knipEntries(): string[] {
  const shipped = [...Object.values(entries), ...Object.values(hmac).map(({ source }) => source)];
  return [...shipped.map((source) => `${source}!`), ...runnable];
}

/** What the library build compiles, by the name of the file in `dist`. */
export function buildEntries(): Record<string, string> {
  return { ...mapEntries((subpath, source) => [builtName(subpath), source]), 'hmac/node': hmac.node.source };
}

/** What an integrator writes after `from`. */
export function importName(subpath: string): string {
  return packageName + subpath.slice(1);
}

/** The name in `dist`, without an extension. */
export function builtName(subpath: string): string {
  return subpath === '.' ? 'index' : subpath.slice(2);
}

function builtFiles(name: string) {
  return {
    import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
    require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
  };
}

function mapEntries<T>(pair: (subpath: string, source: string) => readonly [string, T]): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([subpath, source]) => pair(subpath, source)));
}
