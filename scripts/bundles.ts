// Bundles a receiver on SQLite as docs/sqlite.md says, and has each bundle take a forged and a signed delivery, on a database that
// was opened and on a path: `npm run bundles`. esbuild has its place among the tests.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { build as buildNext, start as startNext } from '../test/next/applications.ts';
import { bodyOf, SECRET, sign } from '../test/support/deliver.ts';
import { send } from '../test/support/example-process.ts';
import { installPacked } from './install-packed.ts';

const run = promisify(execFile);
const fixture = fileURLToPath(new URL('../test/bundles', import.meta.url));
const GOOD = { statuses: [401, 202], ran: ['ada'] };
const RAN_MS = 10_000;

const folder = await installPacked('test/bundles');
let failed = 0;
let folders = 0;
try {
  cpSync(fixture, folder, { recursive: true });
  await checkWebpack();
  await checkNext('Turbopack', []);
  await checkNext('webpack', ['--webpack']);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function report(what: string, got: unknown, expected: unknown): void {
  const good = isDeepStrictEqual(got, expected);
  if (!good) failed++;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${what}${good ? '' : `: ${JSON.stringify(got)}`}`);
}

async function checkWebpack(): Promise<void> {
  const bundle = async (how: string) => run(process.execPath, ['webpack.mjs', how], { cwd: folder });
  const refused = await bundle('all').then(
    () => 'built',
    ({ stdout }: { readonly stdout: string }) =>
      /libsql[^\n]*index\.node/.exec(stdout)?.[0].replaceAll(/.*node_modules\//g, ''),
  );
  report('webpack without externals fails when it builds', refused?.endsWith('/index.node'), true);
  await bundle('external');
  const { opened, path } = await runBundle('bundled-by-webpack.cjs', SECRET);
  report('webpack, externals: libsql, a database that was opened', opened, GOOD);
  report('webpack, externals: libsql, a path', path, GOOD);
  // A delivery that another secret signed is a forgery to the receiver: a check that cannot tell would say so here.
  const other = await runBundle('bundled-by-webpack.cjs', 'whsec_of_somebody_else');
  report('a receiver with another secret is told apart', other.opened, { statuses: [401, 401], ran: [] });
}

async function runBundle(file: string, secret: string) {
  const body = bodyOf().toString();
  const env = { PATHFINDER_WEBHOOK_SECRET: secret, BODY: body, SIGNATURE: sign(body), FOLDER: newFolder() };
  const { stdout } = await run(process.execPath, [file], { cwd: folder, env: { ...process.env, ...env } });
  return JSON.parse(stdout) as Record<'opened' | 'path', unknown>;
}

async function checkNext(bundler: string, flags: readonly string[]): Promise<void> {
  const application = join(folder, 'next');
  for (const database of ['opened', 'path']) {
    const environment = { PATHFINDER_WEBHOOK_SECRET: SECRET, DATABASE: database, FOLDER: newFolder() };
    await buildNext(application, environment, flags);
    const { origin, printed, stop } = await startNext(application, environment);
    try {
      const url = `${origin}/webhook`;
      const statuses = [(await send(url, bodyOf(), sign(bodyOf(), 'a guess')))[0], (await send(url))[0]];
      for (let ms = 0; ms < RAN_MS && !printed().includes('ran for'); ms += 50) await delay(50);
      const ran = [...printed().matchAll(/ran for (\w+)/g)].map(([, name]) => name);
      report(
        `Next 16 with ${bundler}, ${database === 'path' ? 'a path' : 'a database that was opened'}`,
        { statuses, ran },
        GOOD,
      );
    } finally {
      stop();
    }
  }
}

function newFolder(): string {
  const made = join(folder, `databases-${folders++}`);
  mkdirSync(made);
  return made;
}
