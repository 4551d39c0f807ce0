import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build } from 'esbuild';
import { builtName, entries } from './entries.ts';

interface Measure {
  readonly name: string;
  readonly entry: string;
  /** In gzipped bytes; without one the size is only printed. */
  readonly budget: number | undefined;
  readonly conditions: readonly string[];
  /** Leaves out what the core's own entry brings already. */
  readonly besideCore?: boolean;
  /** The one name that is imported of it. Default all. */
  readonly only?: string;
}

const kB = 1024;
const root = fileURLToPath(new URL('..', import.meta.url));

if (!existsSync(resolve(root, 'dist/index.js'))) {
  console.error('There is no dist: run `npm run build` first.');
  process.exit(1);
}

const coreFiles = await filesBehind(builtFile('.'));
const results = await Promise.all(measures().map(async (measure) => ({ ...measure, bytes: await sizeOf(measure) })));

console.table(
  Object.fromEntries(
    results.map(({ name, bytes, budget }) => [
      name,
      { 'gzip bytes': bytes, budget: budget ?? '', ok: bytes <= (budget ?? bytes) },
    ]),
  ),
);
const over = results.filter(({ bytes, budget }) => budget !== undefined && bytes > budget);
for (const { name, bytes, budget } of over) console.error(`${name} is ${bytes - (budget ?? 0)} bytes over its budget`);
process.exitCode = over.length > 0 ? 1 : 0;

function measures(): Measure[] {
  return Object.entries(entries).flatMap(([subpath, source]): Measure[] => {
    const measure = { name: subpath, entry: builtFile(subpath), conditions: ['node'] };
    if (subpath === '.') return [{ ...measure, name: '. without zod', budget: 26.5 * kB }];
    if (subpath === './verify') {
      return [
        { ...measure, name: './verify on Node', budget: kB },
        { ...measure, name: './verify portable', budget: 5 * kB, conditions: [] },
      ];
    }
    // An application has one router or the other, and its bundler takes the adapter of that one.
    if (subpath === './next') {
      const routers = ['toNextRoute', 'toNextApiHandler'];
      return routers.map((only) => ({
        ...measure,
        name: `${only} beside the core`,
        budget: kB,
        besideCore: true,
        only,
      }));
    }
    const budget = source.startsWith('src/adapters/') ? kB : undefined;
    return [{ ...measure, name: `${subpath} beside the core`, budget, besideCore: true }];
  });
}

async function sizeOf({ entry, conditions, besideCore = false, only }: Measure): Promise<number> {
  const { entryPoints, ...others } = bundleOptions(entry, conditions);
  const contents = `export { ${only} } from './${entry}'`;
  const options: BuildOptions = only
    ? { ...others, stdin: { contents, resolveDir: root } }
    : { ...others, entryPoints };
  const result = await build(besideCore ? { ...options, plugins: [without(coreFiles)] } : options);
  return gzipSync(result.outputFiles?.[0]?.contents ?? '', { level: 9 }).length;
}

async function filesBehind(entry: string): Promise<ReadonlySet<string>> {
  const { metafile } = await build(bundleOptions(entry, ['node']));
  return new Set(Object.keys(metafile.inputs).map((file) => resolve(root, file)));
}

function without(files: ReadonlySet<string>): NonNullable<BuildOptions['plugins']>[number] {
  return {
    name: 'without',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        // One short name for all of them: the hashes in the names of chunks are nothing that an integrator loads.
        return files.has(resolve(resolveDir, path)) ? { path: 'core', external: true } : undefined;
      });
    },
  };
}

function bundleOptions(entry: string, conditions: readonly string[]) {
  return {
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'neutral',
    conditions: [...conditions],
    mainFields: ['module', 'main'],
    packages: 'bundle',
    external: ['zod', 'node:*', ...peers()],
    // Without it the paths of tsconfig.json would put the source in the place of the built #hmac.
    tsconfigRaw: '{}',
    logLevel: 'error',
  } as const satisfies BuildOptions;
}

function peers(): string[] {
  const manifest = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as { peerDependencies?: object };
  return Object.keys(manifest.peerDependencies ?? {});
}

function builtFile(subpath: string): string {
  return `dist/${builtName(subpath)}.js`;
}
