import { builtName, entries } from './entries.ts';

const MODULE = ['js', 'js.map', 'cjs', 'cjs.map', 'd.ts', 'd.cts'];
// What the bundler shares between entries, named by its content.
const SHARED = /^dist\/[a-z][a-z-]*-[\w-]{8}\.(?:c?js(?:\.map)?|d\.c?ts)$/;
const BESIDE = ['package.json', 'README.md', 'LICENSE', 'dist/cli.js', 'dist/hmac/portable.LICENSE.txt'];

/** What is wrong with the list of files of a tarball, in sentences. None: it is what a release holds, no more and no less. */
export function problemsOf(files: readonly string[], names = [...Object.keys(entries).map(builtName)]): string[] {
  const modules = [...names, 'hmac/node', 'hmac/portable'];
  const expected = new Set([...BESIDE, ...modules.flatMap((name) => MODULE.map((ending) => `dist/${name}.${ending}`))]);
  const missing = [...expected].filter((file) => !files.includes(file)).map((file) => `${file} is missing.`);
  const foreign = files
    .filter((file) => !expected.has(file) && !SHARED.test(file))
    .map((file) => `${file} does not belong into a release.`);
  return [...missing, ...foreign];
}
