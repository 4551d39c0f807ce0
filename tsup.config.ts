import { copyFile } from 'node:fs/promises';
import { defineConfig, type Options } from 'tsup';
import { buildEntries, hmac } from './scripts/entries.ts';

const shared: Options = {
  outDir: 'dist',
  format: ['esm', 'cjs'],
  platform: 'neutral',
  target: 'es2022',
  tsconfig: 'tsconfig.src.json',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  // One class per format: without shared chunks every subpath would bring its own WebhookError.
  splitting: true,
  // Twice the size of the code, which is readable as it is.
  sourcemap: false,
  // `clean` here would race with the CLI's build; the npm script empties dist first.
  clean: false,
  removeNodeProtocol: false,
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
    entry: { 'hmac/portable': hmac.portable.source, 'hmac/workerd': hmac.workerd.source },
    noExternal: [/^@noble\/hashes/],
    banner: {
      js: '/*! Contains noble-hashes, MIT License (c) Paul Miller (paulmillr.com): portable.LICENSE.txt */',
    },
    onSuccess: () => copyFile('node_modules/@noble/hashes/LICENSE', 'dist/hmac/portable.LICENSE.txt'),
  },
]);
