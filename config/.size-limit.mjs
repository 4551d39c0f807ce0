// The size of the package in an integrator's bundle, minified and gzipped: `npm run size`.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { builtName, entries } from '../scripts/entries.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { peerDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const fileOf = (subpath) => `${root}dist/${builtName(subpath)}.js`;

const bundling = (conditions) => ({
  format: 'esm',
  platform: 'neutral',
  conditions,
  mainFields: ['module', 'main'],
  external: ['zod', 'node:*', ...Object.keys(peerDependencies)],
  // The paths of tsconfig.json would put the source in the place of the built #hmac.
  tsconfigRaw: '{}',
});

const { metafile } = buildSync({
  ...bundling(['node']),
  absWorkingDir: root,
  entryPoints: [fileOf('.')],
  bundle: true,
  write: false,
  metafile: true,
});
const core = new Set(Object.keys(metafile.inputs).map((file) => resolve(root, file)));

/** Leaves out what the core's own entry brings already, under one short name: the hashes of chunks are not loaded. */
const withoutCore = {
  name: 'without-core',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
      core.has(resolve(resolveDir, path)) ? { path: 'core', external: true } : undefined,
    );
  },
};

const check = (subpath, limit, { conditions = ['node'], plugins = [], ...more } = {}) => ({
  name: subpath,
  path: fileOf(subpath),
  limit,
  gzip: true,
  modifyEsbuildConfig: (config) => ({
    ...config,
    ...bundling(conditions),
    plugins: [...(config.plugins ?? []), ...plugins],
  }),
  ...more,
});
const beside = (subpath, limit, more) =>
  check(subpath, limit, { name: `${subpath} beside the core`, plugins: [withoutCore], ...more });

// Other subpaths may grow: what counts is how much of them an edge function or an adapter loads.
const ADAPTER_LIMIT = '1 kB';
const adapters = Object.entries(entries).filter(
  ([name, source]) => source.startsWith('src/adapters/') && name !== './next',
);

export default [
  check('.', '27.1 kB', { name: '. without zod' }),
  check('./verify', '1.02 kB', { name: './verify on Node' }),
  check('./verify', '5 kB', { name: './verify portable', conditions: [] }),
  ...adapters.map(([subpath]) => beside(subpath, ADAPTER_LIMIT)),
  // An application has one router, and its bundler takes the adapter of that one.
  ...['toNextRoute', 'toNextApiHandler'].map((name) =>
    beside('./next', ADAPTER_LIMIT, { name: `${name} beside the core`, import: `{ ${name} }` }),
  ),
];
