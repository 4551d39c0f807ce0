import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { builtName, entries, importName } from '../../scripts/entries.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Compiles a script beside the package as it ships, and returns its path. Run through a loader, every function of the
 * script would be timed with the loader's wrapper around it.
 */
export async function compile(script: string): Promise<string> {
  const outfile = `${root}node_modules/.cache/bench/${script.replaceAll('/', '-')}.mjs`;
  await build({
    entryPoints: [`${root}bench/${script}.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    alias: Object.fromEntries(
      Object.keys(entries).map((subpath) => [importName(subpath), `${root}dist/${builtName(subpath)}.js`]),
    ),
    external: [`${root}dist/*`],
    tsconfigRaw: '{}',
    logLevel: 'error',
  });
  return outfile;
}
