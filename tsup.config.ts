import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { buildEntries, hmac } from './scripts/entries.ts';

// Splitting CommonJS makes each source map name its own chunk by its absolute path.
const relativeSources: NonNullable<Options['plugins']>[number] = {
  name: 'relative-sources',
  async buildEnd({ writtenFiles }) {
    for (const { name } of writtenFiles.filter((file) => file.name.endsWith('.cjs.map'))) {
      const map = JSON.parse(await readFile(name, 'utf8')) as { file: string; sources: string[] };
      map.file = basename(map.file);
      map.sources = map.sources.map((source) => (source.startsWith('.') ? source : basename(source)));
      await writeFile(name, JSON.stringify(map));
    }
  },
};

const shared: Options = {
  outDir: 'dist',
  format: ['esm', 'cjs'],
  platform: 'neutral',
  target: 'es2022',
  tsconfig: 'tsconfig.src.json',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  // One class per format: without shared chunks every subpath would bring its own WebhookError.
  splitting: true,
  sourcemap: true,
  // `clean` here would race with the CLI's build; the npm script empties dist first.
  clean: false,
  removeNodeProtocol: false,
  plugins: [relativeSources],
  esbuildOptions(options, { format }) {
    options.legalComments = 'inline';
    // What `createRequire` takes as well, where there is no `import.meta`.
    if (format === 'cjs') options.define = { ...options.define, 'import.meta.url': '__filename' };
  },
};

export default defineConfig([
  // Dependencies and peers stay external by themselves.
  { ...shared, entry: buildEntries(), external: ['#hmac', /^node:/] },
  {
    ...shared,
    entry: { 'hmac/portable': hmac.portable.source },
    noExternal: [/^@noble\/hashes/],
    banner: {
      js: '/*! Contains noble-hashes, MIT License (c) Paul Miller (paulmillr.com): portable.LICENSE.txt */',
    },
    onSuccess: () => copyFile('node_modules/@noble/hashes/LICENSE', 'dist/hmac/portable.LICENSE.txt'),
  },
]);
