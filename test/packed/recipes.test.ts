// Runs the tests that docs/testing.md shows, with the commands that it shows, against the packed package; then once more with
// a broken receiver, where each command has to fail.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { installPacked } from '../support/build.ts';

const run = promisify(execFile);
const page = readFileSync(fileURLToPath(new URL('../../docs/testing.md', import.meta.url)), 'utf8');
// jest reads an environment only from the first comment.
const NAME = /^(?:\/\*\*.*\*\/\n)?\/\/ (\S+\.\w+)\n/;
const COMPILE = 'npx tsc';
const blocks = [...page.matchAll(/^```(ts|js|sh)\n(.*?)^```/gms)].map(([, language = '', code = '']) => {
  return { language, code, file: NAME.exec(code)?.[1] ?? '' };
});
const files = blocks.filter(({ language }) => language !== 'sh');
const commands = blocks.flatMap(({ language, code }) => (language === 'sh' ? [code.trim()] : []));

let folder: string;

beforeAll(async () => {
  folder = join(await installPacked('test/packed', inject('packedFolder')), 'recipes');
  writeProject('good', (code) => code);
  // The broken receiver expects another secret and reads a member that does not exist.
  writeProject('broken', (code) => {
    const secret = /(new WebhookHandler\(\{ secret)(: [^,}]+?)?(?=[,} ])/g;
    const otherSecret = code.replaceAll(secret, "$1: 'of-somebody-else'");
    return otherSecret.replaceAll('data.user.email', 'data.user.mail');
  });
}, 600_000);

describe('the recipes of docs/testing.md', () => {
  it('each have a file name and a command that runs them', () => {
    const tests = files.filter(({ file }) => file.includes('.test.'));
    expect(files.filter(({ file }) => file === '')).toEqual([]);
    expect(tests.filter(({ file }) => !commands.some((line) => line.includes(file)))).toEqual([]);
    expect([commands.length > 10, tests.length > 10]).toEqual([true, true]);
  });

  it.each([COMPILE, ...commands])(
    'pass with a sound receiver and fail with a broken one: %s',
    { timeout: 120_000 },
    async (command) => {
      const named = files.filter(({ file }) => command.includes(file));
      const count = named.reduce((sum, { code }) => sum + (code.match(/^test\(/gm) ?? []).length, 0);
      const [good, broken] = await Promise.all([execute('good', command), execute('broken', command)]);
      const passed = Number(/Tests:?\s+(\d+) passed/.exec(good.output)?.[1] ?? 0);
      expect({ ...good, passed }).toEqual({ ok: true, output: expect.any(String), passed: count });
      const failure = command === COMPILE ? /Property 'mail' does not exist/ : /Tests:?\s+\d+ failed/;
      expect(broken).toEqual({ ok: false, output: expect.stringMatching(failure) });
    },
  );
});

function writeProject(name: string, change: (code: string) => string): void {
  const project = join(folder, name);
  mkdirSync(project, { recursive: true });
  for (const { file, code } of files) writeFileSync(join(project, file), change(code));
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022', 'DOM'],
    module: 'esnext',
    moduleResolution: 'bundler',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noUnusedLocals: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
}

async function execute(project: string, command: string): Promise<{ readonly ok: boolean; readonly output: string }> {
  // Vitest in a process of Vitest would take itself for one of its workers.
  const { VITEST: _, VITEST_POOL_ID: __, VITEST_WORKER_ID: ___, NODE_ENV: ____, ...rest } = process.env;
  const env = { ...rest, NO_COLOR: '1', CI: 'true', VITEST_JSON: '' };
  const options = { cwd: join(folder, project), env, timeout: 110_000 };
  try {
    const { stdout, stderr } = await run('sh', ['-c', command], options);
    return { ok: true, output: stripVTControlCharacters(stdout + stderr) };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    return { ok: false, output: stripVTControlCharacters(stdout + stderr) };
  }
}
