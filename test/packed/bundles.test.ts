// Bundles a receiver on SQLite as docs/sqlite.md says, with a database that was opened and with a path. esbuild is tested
// in test/engines/sqlite-driver.test.ts.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { installPacked } from '../support/build.ts';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { send } from '../support/example-process.ts';
import { build as buildNext, start as startNext } from './next/applications.ts';

const run = promisify(execFile);
const BUILD_MS = 300_000;
const GOOD = { statuses: [401, 202], ran: ['ada'] };

let folder: string;
let folders = 0;

beforeAll(async () => {
  folder = await installPacked('test/packed/bundles');
  cpSync(fileURLToPath(new URL('./bundles', import.meta.url)), folder, { recursive: true });
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a webpack bundle with sqliteQueue', () => {
  const bundle = (how: string) => run(process.execPath, ['webpack.mjs', how], { cwd: folder });

  it('fails to build when libsql is not external', { timeout: BUILD_MS }, async () => {
    const { stdout } = (await bundle('all').catch((error: unknown) => error)) as { readonly stdout: string };
    expect(/libsql[^\n]*index\.node/.exec(stdout)?.[0]).toMatch(/index\.node$/);
  });

  it('receives on an open database and on a path when libsql is external', { timeout: BUILD_MS }, async () => {
    await bundle('external');
    expect(await runBundle(SECRET)).toEqual({ opened: GOOD, path: GOOD });
    // A delivery signed with another secret is a forgery for the receiver.
    expect((await runBundle('whsec_of_somebody_else')).opened).toEqual({ statuses: [401, 401], ran: [] });
  });
});

describe.each([
  ['Turbopack', []],
  ['webpack', ['--webpack']],
])('a Next 16 application built with %s', (_, flags) => {
  it.each(['opened', 'path'])(
    'receives with sqliteQueue on a database given as %s',
    { timeout: BUILD_MS },
    async (database) => {
      const application = join(folder, 'next');
      const environment = { PATHFINDER_WEBHOOK_SECRET: SECRET, DATABASE: database, FOLDER: newFolder() };
      await buildNext(application, environment, flags);
      const { origin, printed, stop } = await startNext(application, environment);
      onTestFinished(() => void stop());
      const url = `${origin}/webhook`;
      const statuses = [(await send(url, bodyOf(), sign(bodyOf(), 'a guess')))[0], (await send(url))[0]];
      const ran = () => [...printed().matchAll(/ran for (\w+)/g)].map(([, name]) => name);
      await vi.waitFor(() => expect({ statuses, ran: ran() }).toEqual(GOOD), 10_000);
    },
  );
});

async function runBundle(secret: string): Promise<Record<'opened' | 'path', unknown>> {
  const body = bodyOf().toString();
  const env = { PATHFINDER_WEBHOOK_SECRET: secret, BODY: body, SIGNATURE: sign(body), FOLDER: newFolder() };
  const { stdout } = await run(process.execPath, ['bundled-by-webpack.cjs'], {
    cwd: folder,
    env: { ...process.env, ...env },
  });
  return JSON.parse(stdout) as Record<'opened' | 'path', unknown>;
}

function newFolder(): string {
  const made = join(folder, `databases-${folders++}`);
  mkdirSync(made);
  return made;
}
