import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  builtName,
  entries,
  exportsField,
  hmac,
  importName,
  importsField,
  knipEntries,
  pathsField,
  typesVersionsField,
} from '../../scripts/entries.ts';
import tsupConfig from '../../tsup.config.ts';
import { ensureBuild } from '../support/build.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const subpaths = Object.keys(entries);
const cure = 'run `npm run entries`';

describe('the manifests follow scripts/entries.ts', () => {
  const manifest = readJson('package.json');

  it('package.json has the exports, imports and typesVersions of the entries', () => {
    expect(manifest.exports, cure).toEqual(exportsField());
    expect(manifest.imports, cure).toEqual(importsField());
    expect(manifest.typesVersions, cure).toEqual(typesVersionsField());
  });

  it('package.json has its conditions in the order that decides who takes which build', () => {
    expect(JSON.stringify(manifest.imports), cure).toBe(JSON.stringify(importsField()));
    expect(JSON.stringify(manifest.exports), cure).toBe(JSON.stringify(exportsField()));
  });

  it('tsconfig, typedoc and knip list the entries', () => {
    expect((readJson('tsconfig.json').compilerOptions as { paths: unknown }).paths, cure).toEqual(pathsField());
    expect(readJson('typedoc.json').entryPoints, cure).toEqual(Object.values(entries));
    expect(readJson('config/knip.json').entry, cure).toEqual(knipEntries());
  });

  it('the build compiles each entry and each build of #hmac', () => {
    const configs = Array.isArray(tsupConfig) ? tsupConfig : [];
    const built = Object.assign({}, ...configs.map((config) => ('entry' in config ? config.entry : {})));
    expect(built).toEqual({
      ...Object.fromEntries(subpaths.map((subpath) => [builtName(subpath), entries[subpath]])),
      'hmac/node': hmac.node.source,
      'hmac/portable': hmac.portable.source,
      'hmac/workerd': hmac.workerd.source,
      cli: 'src/cli/index.ts',
    });
  });

  it.each([...Object.values(entries), ...Object.values(hmac).map(({ source }) => source)])(
    'the source %s exists',
    (source) => {
      expect(existsSync(join(root, source))).toBe(true);
    },
  );
});

describe('the built package', () => {
  beforeAll(ensureBuild, 300_000);

  it('exports the same names to import and to require', () => {
    const names = namesOfBuilt();
    expect(Object.keys(names)).toEqual(subpaths);
    for (const [subpath, { imported, required }] of Object.entries(names)) {
      expect(imported, subpath).toEqual(required);
      expect(imported.length, `${subpath} exports something`).toBeGreaterThan(0);
    }
  });

  it('exports one function from ./verify', () => {
    expect(namesOfBuilt()['./verify']?.imported).toEqual(['verifyWebhookSignature']);
  });

  it('inlines @noble/hashes with its license into the portable builds only', () => {
    const inlined = new Map(
      builtFiles(/\.c?js$/)
        .map((file) => [file, packagesIn(readBuilt(file))] as const)
        .filter(([, packages]) => packages.length > 0),
    );
    const shared = ['js', 'cjs'].flatMap((ending) => chunkOf('hmac/portable', ending));
    expect(['js', 'cjs'].flatMap((ending) => chunkOf('hmac/workerd', ending))).toEqual(shared);
    expect([...inlined].sort()).toEqual(shared.sort().map((file) => [file, ['@noble/hashes']]));
    for (const file of shared) expect(readBuilt(file)).toContain('MIT License');
    expect(readBuilt('hmac/portable.js')).toContain('MIT License');
    expect(readBuilt('hmac/portable.LICENSE.txt')).toContain('Paul Miller');
  });

  it('needs for its types only packages that an integrator has', () => {
    const { dependencies, peerDependencies = {} } = readJson('package.json') as Record<string, object>;
    const present = new Set([...Object.keys({ ...dependencies, ...peerDependencies }), '#hmac']);
    for (const file of builtFiles(/\.d\.c?ts$/)) {
      const code = readBuilt(file).replaceAll(/\/\*[\s\S]*?\*\//g, '');
      const imported = [...code.matchAll(/(?:from |import\(|import )['"]([^.'"][^'"]*)['"]/g)];
      const missing = imported.map(([, name = '']) => packageOf(name)).filter((name) => !present.has(name));
      expect(
        missing.filter((name) => !name.startsWith('node:')),
        file,
      ).toEqual([]);
    }
  });

  it('contains no path of the machine that built it', () => {
    const files = builtFiles(/\.(js|cjs|ts|cts)$/);
    expect(files.length).toBeGreaterThan(4 * subpaths.length);
    expect(files.filter((file) => readBuilt(file).includes(root))).toEqual([]);
  });

  it('starts its command', () => {
    const printed = execFileSync(process.execPath, [join(root, 'dist/cli.js'), '--version'], { encoding: 'utf8' });
    expect(printed.trim()).toBe(readJson('package.json').version);
  });
});

type Names = Record<string, { imported: string[]; required: string[] }>;

// In a process of its own, since here the aliases lead to the sources.
function namesOfBuilt(): Names {
  const script = `
    import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url);
    const names = {};
    for (const [subpath, name] of ${JSON.stringify(subpaths.map((subpath) => [subpath, importName(subpath)]))}) {
      if (!require.resolve(name).endsWith('.cjs')) throw new Error(name + ' is not required as CommonJS');
      names[subpath] = { imported: Object.keys(await import(name)).sort(), required: Object.keys(require(name)).sort() };
    }
    console.log(JSON.stringify(names));`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    encoding: 'utf8',
  });
  return JSON.parse(printed) as Names;
}

// The bundler writes above each module which file it is.
/** The files that a built module shares with others. */
function chunkOf(name: string, ending: string): string[] {
  return [...readBuilt(`${name}.${ending}`).matchAll(/(?:from |require\()['"]\.\.\/([\w.-]+)['"]/g)].map(
    ([, file = '']) => file,
  );
}

function packagesIn(code: string): string[] {
  const paths = [...code.matchAll(/^\/\/ (?:.*\/)?node_modules\/(.+)$/gm)].map(([, path = '']) => path);
  return [...new Set(paths.map(packageOf))];
}

function packageOf(path: string): string {
  return path.split('/', path.startsWith('@') ? 2 : 1).join('/');
}

function builtFiles(name: RegExp): string[] {
  return readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((file) => name.test(file));
}

function readBuilt(file: string): string {
  return readFileSync(join(root, 'dist', file), 'utf8');
}

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(root, file), 'utf8')) as Record<string, unknown>;
}
