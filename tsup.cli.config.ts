import { copyFile, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineConfig } from 'tsup';
import { buildEntries } from './scripts/entries.ts';

// The command line runs the library that lies beside it in dist, and brings no second copy of it along.
const library = new Map(Object.entries(buildEntries()).map(([name, source]) => [resolve(source), `./${name}.js`]));

export default defineConfig({
  entry: { cli: 'src/cli/index.ts' },
  outDir: 'dist',
  format: ['esm'],
  platform: 'node',
  target: 'node20',
  tsconfig: 'tsconfig.src.json',
  dts: false,
  // A command's own code is loaded when it is called.
  splitting: true,
  minify: true,
  sourcemap: false,
  clean: false,
  removeNodeProtocol: false,
  external: ['#hmac', /^node:/],
  noExternal: ['commander'],
  // Commander is CommonJS, and asks for modules of Node with `require`.
  banner: {
    js: [
      '/*! Contains commander, MIT License (c) TJ Holowaychuk: cli.LICENSE.txt */',
      'const require = (name) => process.getBuiltinModule(name);',
    ].join('\n'),
  },
  esbuildPlugins: [
    {
      // It takes a tenth of the start, and commander needs it only for commands that are programs of their own.
      name: 'no-child-process',
      setup(build) {
        build.onLoad({ filter: /commander\/lib\/command\.js$/ }, async ({ path }) => {
          const asked = "require('node:child_process')";
          const code = await readFile(path, 'utf8');
          if (!code.includes(asked)) throw new Error('commander asks for node:child_process in another way.');
          return { contents: code.replace(asked, '{}') };
        });
      },
    },
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
});
