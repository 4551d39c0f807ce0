// Compiles an integrator's files for every adapter against the packed package, with the compilers that the package supports.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { installPacked } from '../support/build.ts';
import manifest from './package.json' with { type: 'json' };

const sources = fileURLToPath(new URL('./consumers', import.meta.url));
const run = promisify(execFile);

interface Project {
  readonly name: string;
  readonly type: 'module' | 'commonjs';
  readonly options: Readonly<Record<string, unknown>>;
}

const express4 = { paths: { express: ['../node_modules/@types/express-4'] } };
const node16 = { module: 'node16', moduleResolution: 'node16', lib: ['ES2022'] };
const bundler = { module: 'esnext', moduleResolution: 'bundler', lib: ['ES2022', 'DOM'], esModuleInterop: true };
const PROJECTS: readonly Project[] = [
  { name: 'node16, ESM', type: 'module', options: node16 },
  { name: 'node16, CommonJS', type: 'commonjs', options: { ...node16, esModuleInterop: true } },
  { name: 'bundler', type: 'module', options: bundler },
  { name: 'bundler, Express 4', type: 'module', options: { ...bundler, ...express4 } },
];
const all = Object.keys(manifest.devDependencies).filter((name) => name.startsWith('typescript-'));
/** The floor and the newest; the proof compiles with all. */
const COMPILERS = process.env.PATHFINDER_PROOF ? all : all.filter((name) => /-(5\.4|7\.0)$/.test(name));

let folder: string;

beforeAll(async () => {
  folder = await installPacked('test/packed', inject('packedFolder'));
}, 600_000);

describe.each(COMPILERS)('the types of the packed package with %s', (compiler) => {
  it.each(PROJECTS)('compile in a project with $name', { timeout: 120_000 }, async (project) => {
    expect(await problemsOf(compiler, project)).toEqual([]);
  });

  it('fail to compile in a project that passes a number as the secret', { timeout: 120_000 }, async () => {
    const wrong = (code: string) => code.replace("secret: 'whsec_0123456789abcdef'", 'secret: 1');
    expect(await problemsOf(compiler, { name: 'broken', type: 'module', options: bundler }, wrong)).toEqual([
      expect.stringMatching(/^next\.ts.*error TS2345: .*secret: number/),
    ]);
  });
});

/** What the compiler reports about the consumers and this package, and not about other packages. */
async function problemsOf(
  compiler: string,
  { name, type, options }: Project,
  change = (code: string) => code,
): Promise<string[]> {
  const project = join(folder, `${compiler} ${name}`.replaceAll(/\W+/g, '-'));
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project);
  cpSync(sources, project, { recursive: true });
  writeFileSync(join(project, 'next.ts'), change(readFileSync(join(project, 'next.ts'), 'utf8')));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type }));
  const compilerOptions = {
    target: 'ES2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    ...options,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  try {
    await run(process.execPath, [bin(compiler), '-p', project, '--pretty', 'false'], { cwd: project });
    return [];
  } catch (error) {
    const { stdout = '' } = error as { readonly stdout?: string };
    const lines = stdout.split('\n').filter((line) => /error TS/.test(line));
    if (lines.length === 0) return [String(error)];
    return lines.filter((line) => !/node_modules\/(?!@pathfinder\/webhooks\/)/.test(line));
  }
}

function bin(compiler: string): string {
  const { bin } = JSON.parse(readFileSync(join(folder, 'node_modules', compiler, 'package.json'), 'utf8')) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  return join(folder, 'node_modules', compiler, bin.tsc ?? '');
}
