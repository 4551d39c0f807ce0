import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { buildEntries, hmac } from './scripts/entries.ts';

const portable = { 'hmac/portable': hmac.portable.source, 'hmac/workerd': hmac.workerd.source };

const shared: Options = {
  outDir: 'dist',
  format: ['esm', 'cjs'],
  platform: 'neutral',
  target: 'es2022',
  tsconfig: 'tsconfig.src.json',
  // One class per format: without shared chunks every subpath would bring its own WebhookError.
  splitting: true,
  // Maps would double the size, and the built code is readable.
  sourcemap: false,
  // Three configurations write to one folder, so the npm script empties it first.
  clean: false,
  removeNodeProtocol: false,
  esbuildOptions(options, { format }) {
    options.legalComments = 'inline';
    // `createRequire` accepts a file name too, where there is no `import.meta`.
    if (format === 'cjs') options.define = { ...options.define, 'import.meta.url': '__filename' };
  },
};

// The command line imports the library beside it in dist instead of bundling a second copy.
const library = new Map(Object.entries(buildEntries()).map(([name, source]) => [resolve(source), `./${name}.js`]));

export default defineConfig([
  {
    ...shared,
    entry: buildEntries(),
    // The types of all entries come from one TypeScript program.
    dts: { entry: { ...buildEntries(), ...portable }, compilerOptions: { ignoreDeprecations: '6.0' } },
    external: ['#hmac', /^node:/],
  },
  {
    ...shared,
    entry: portable,
    noExternal: [/^@noble\/hashes/],
    banner: {
      js: '/*! Contains noble-hashes, MIT License (c) Paul Miller (paulmillr.com): portable.LICENSE.txt */',
    },
    onSuccess: () => copyFile('node_modules/@noble/hashes/LICENSE', 'dist/hmac/portable.LICENSE.txt'),
  },
  {
    ...shared,
    entry: { cli: 'src/cli/index.ts' },
    format: ['esm'],
    platform: 'node',
    target: 'node20',
    minify: true,
    external: ['#hmac', /^node:/],
    noExternal: ['commander'],
    // Commander is CommonJS and loads Node's modules with `require`.
    banner: {
      js: [
        '/*! Contains commander, MIT License (c) TJ Holowaychuk: cli.LICENSE.txt */',
        'const require = (name) => process.getBuiltinModule(name);',
      ].join('\n'),
    },
    esbuildPlugins: [
      {
        name: 'library',
        setup(build) {
          build.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
            const built = library.get(resolve(resolveDir, path));
            return built === undefined ? undefined : { path: built, external: true };
          });
        },
      },
    ],
    onSuccess: () => copyFile('node_modules/commander/LICENSE', 'dist/cli.LICENSE.txt'),
  },
]);
