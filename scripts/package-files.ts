import { posix } from 'node:path';
import { builtName, entries } from './entries.ts';

const MOST_PACKED_BYTES = 460_000;
const MODULE = ['js', 'cjs', 'd.ts', 'd.cts'];
// What the bundler shares between entries, named by its content.
const SHARED = /^dist\/[a-z][a-z-]*-[\w-]{8}\.(?:c?js|d\.c?ts)$/;
const LICENSES = ['LICENSE', 'dist/cli.LICENSE.txt', 'dist/hmac/portable.LICENSE.txt'];
const SKILL = [
  'SKILL',
  ...['durability', 'frameworks', 'testing', 'troubleshooting'].map((name) => `references/${name}`),
];
const BESIDE = [
  'package.json',
  'README.md',
  ...SKILL.map((name) => `skills/pathfinder-webhooks/${name}.md`),
  ...LICENSES,
  'dist/cli.js',
];

/** What is wrong with the list of files of a tarball, in sentences. None: it is what a release holds, no more and no less. */
export function problemsOf(files: readonly string[], names = [...Object.keys(entries).map(builtName)]): string[] {
  const modules = [...names, 'hmac/node', 'hmac/portable', 'hmac/workerd'];
  const expected = new Set([...BESIDE, ...modules.flatMap((name) => MODULE.map((ending) => `dist/${name}.${ending}`))]);
  const missing = [...expected].filter((file) => !files.includes(file)).map((file) => `${file} is missing.`);
  const foreign = files
    .filter((file) => !expected.has(file) && !SHARED.test(file))
    .map((file) => `${file} does not belong into a release.`);
  return [...missing, ...foreign];
}

/** That a tarball is larger than a receiver of webhooks should be, if it is. */
export function problemsOfSize(packedBytes: number): string[] {
  return packedBytes > MOST_PACKED_BYTES ? [`It has ${packedBytes} bytes packed, at most ${MOST_PACKED_BYTES}.`] : [];
}

/**
 * The shared files of a tarball that no subpath reaches, in sentences.
 *
 * @param textOf - Reads a file of the tarball.
 */
export function unreachedOf(files: readonly string[], textOf: (file: string) => string): string[] {
  const reached = new Set(files.filter((file) => !SHARED.test(file)));
  // A set goes on to what is added while it is gone through.
  for (const file of reached) {
    if (!/\.c?[jt]s$/.test(file)) continue;
    for (const [, target = ''] of textOf(file).matchAll(/(?:from ?|import ?|import\(|require\()['"](\.[^'"]+)['"]/g)) {
      const path = posix.join(posix.dirname(file), target);
      // A declaration names the code that it declares, and means the declaration beside that.
      reached.add(/\.d\.c?ts$/.test(file) ? path.replace(/\.(c?)js$/, '.d.$1ts') : path);
    }
  }
  return files.filter((file) => !reached.has(file)).map((file) => `${file} is reached by no subpath.`);
}
