// Compiles consumers of every adapter from the packed package, as their own compilers would: `npm run consumers`.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installPacked } from './install-packed.ts';

const sources = fileURLToPath(new URL('../test/consumers/sources', import.meta.url));
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

const folder = await installPacked('test/consumers');
try {
  const compilers = readdirSync(join(folder, 'node_modules')).filter((name) => name.startsWith('typescript-'));
  let failed = 0;
  for (const compiler of compilers.sort()) {
    const compiled = await Promise.all(PROJECTS.map((project) => compile(compiler, project)));
    for (const [i, problems] of compiled.entries()) {
      console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${compiler.replace('-', ' ')}, ${PROJECTS[i]?.name}`);
      for (const problem of problems) console.log(`     ${problem}`);
      if (problems.length > 0) failed++;
    }
  }
  console.log(`${compilers.length * PROJECTS.length - failed} of ${compilers.length * PROJECTS.length} compile`);
  process.exitCode = failed === 0 && compilers.length > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What the compiler has to say of the consumers and of this package; what it says of other packages is theirs. */
async function compile(compiler: string, { name, type, options }: Project): Promise<string[]> {
  const project = join(folder, `${compiler} ${name}`.replaceAll(/\W+/g, '-'));
  mkdirSync(project);
  cpSync(sources, project, { recursive: true });
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
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules', compiler, 'package.json'), 'utf8')) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  return join(folder, 'node_modules', compiler, manifest.bin.tsc ?? '');
}
