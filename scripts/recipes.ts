// Runs the tests that docs/testing.md shows, with the commands that it shows, against the packed package: `npm run recipes`.
// Then everything once more with a receiver that is broken, where each command has to fail.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters } from 'node:util';
import { installPacked } from './install-packed.ts';

const run = promisify(execFile);
const page = readFileSync(fileURLToPath(new URL('../docs/testing.md', import.meta.url)), 'utf8');
// jest heeds an environment only in the first comment.
const NAME = /^(?:\/\*\*.*\*\/\n)?\/\/ (\S+\.\w+)\n/;
const blocks = [...page.matchAll(/^```(ts|js|sh)\n(.*?)^```/gms)].map(([, language = '', code = '']) => {
  return { language, code, file: NAME.exec(code)?.[1] ?? '' };
});
const files = blocks.filter(({ language }) => language !== 'sh');
const COMPILE = 'npx tsc';
const commands = [COMPILE, ...blocks.flatMap(({ language, code }) => (language === 'sh' ? [code.trim()] : []))];

interface Ended {
  readonly ok: boolean;
  readonly output: string;
}

const folder = await installPacked('test/recipes');
try {
  const nameless = files.filter(({ file }) => file === '').map(({ code }) => `A block has no name: ${code}`);
  const unrun = files.filter(({ file }) => file.includes('.test.') && !commands.some((line) => line.includes(file)));
  const problems = [...nameless, ...unrun.map(({ file }) => `No command runs ${file}`)];
  writeProject('good', (code) => code);
  // The broken receiver expects another secret, and reads a member that is not there.
  writeProject('broken', (code) => {
    const otherSecret = code.replaceAll(
      /(new WebhookHandler\(\{ secret)(: [^,}]+?)?(?=[,} ])/g,
      "$1: 'of-somebody-else'",
    );
    return otherSecret.replaceAll('data.user.email', 'data.user.mail');
  });
  for (const command of commands) {
    const [good, broken] = await Promise.all([execute('good', command), execute('broken', command)]);
    const found = [...problemsOfGood(command, good), ...problemsOfBroken(command, broken)];
    console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${command}`);
    problems.push(...found);
  }
  for (const problem of problems) console.log(problem);
  console.log(`${commands.length} commands of docs/testing.md, ${problems.length} problems`);
  process.exitCode = problems.length === 0 && commands.length > 1 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function writeProject(name: string, change: (code: string) => string): void {
  const project = join(folder, name);
  mkdirSync(project);
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

async function execute(project: string, command: string): Promise<Ended> {
  const env = { ...process.env, NO_COLOR: '1', CI: 'true' };
  const options = { cwd: join(folder, project), env, timeout: 120_000 };
  try {
    const { stdout, stderr } = await run('sh', ['-c', command], options);
    return { ok: true, output: stripVTControlCharacters(stdout + stderr) };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    return { ok: false, output: stripVTControlCharacters(stdout + stderr) };
  }
}

/** All tests of the files that the command names have passed, and not fewer. */
function problemsOfGood(command: string, { ok, output }: Ended): string[] {
  const named = files.filter(({ file }) => command.includes(file));
  const tests = named.reduce((sum, { code }) => sum + (code.match(/^test\(/gm) ?? []).length, 0);
  const passed = Number(/Tests:?\s+(\d+) passed/.exec(output)?.[1] ?? 0);
  return ok && passed === tests ? [] : [`${command}: ${passed} of ${tests} passed\n${output}`];
}

/** It fails, and because of what a test or the compiler says. */
function problemsOfBroken(command: string, { ok, output }: Ended): string[] {
  const said = command === COMPILE ? /Property 'mail' does not exist/ : /Tests:?\s+\d+ failed/;
  return !ok && said.test(output) ? [] : [`${command}: does not see that the receiver is broken\n${output}`];
}
