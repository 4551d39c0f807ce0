import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { cli: 'src/cli/index.ts' },
  outDir: 'dist',
  format: ['esm'],
  platform: 'node',
  target: 'node20',
  tsconfig: 'tsconfig.src.json',
  dts: false,
  splitting: false,
  sourcemap: false,
  clean: false,
  removeNodeProtocol: false,
  external: ['#hmac', /^node:/],
});
