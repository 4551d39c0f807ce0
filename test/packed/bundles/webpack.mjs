import { promisify } from 'node:util';
import webpack from 'webpack';

// Bundles the receiver; with the argument `external` as docs/sqlite.md says.
const external = process.argv[2] === 'external';
const stats = await promisify(webpack)({
  mode: 'production',
  target: 'node20',
  entry: './receiver.mjs',
  output: { path: import.meta.dirname, filename: 'bundled-by-webpack.cjs' },
  externals: external ? { libsql: 'commonjs libsql' } : {},
});
console.log(stats.toString({ all: false, errors: true }));
process.exitCode = stats.hasErrors() ? 1 : 0;
