import { execFile, spawn } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installPacked } from '../../support/build.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const run = promisify(execFile);
const ENVIRONMENT = { ...process.env, NODE_ENV: 'production' as const, NEXT_TELEMETRY_DISABLED: '1' };

export const ROUTERS = ['app-router', 'pages-router'] as const;
export type Router = (typeof ROUTERS)[number];

/** Both applications in a folder of their own, with the packed package installed, and built. */
export interface Applications {
  folderOf(router: Router): string;
  /** `require` of one of them. */
  readonly require: NodeJS.Require;
  remove(): void;
}

/**
 * Builds both applications with the packed package.
 *
 * @param major - The version of Next. 16 is installed with the other packages of `packedFolder`; others have a lock of their own.
 */
export async function buildApplications(major: string, secret: string, packedFolder: string): Promise<Applications> {
  const folder =
    major === '16'
      ? await installPacked('test/packed', packedFolder)
      : await installPacked(`test/packed/next/next-${major}`);
  cpSync(join(here, `next-${major}`, 'application'), join(folder, 'application'), {
    recursive: true,
  });
  for (const router of ROUTERS) {
    const application = join(folder, router);
    cpSync(join(here, router), application, { recursive: true });
    cpSync(join(folder, 'application'), application, { recursive: true });
    // Next 15.0 has no `after` yet.
    if (major.endsWith('floor')) rmSync(join(application, 'app/webhooks/queued'), { recursive: true, force: true });
    for (const file of ['receiver.ts', 'tsconfig.json']) cpSync(join(here, file), join(application, file));
    await build(application, { PATHFINDER_WEBHOOK_SECRET: secret });
  }
  return {
    folderOf: (router) => join(folder, router),
    require: createRequire(join(folder, 'package.json')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** `next build`, with other flags where there are some. */
export async function build(
  application: string,
  environment: NodeJS.ProcessEnv,
  flags: readonly string[] = [],
): Promise<void> {
  const env = { ...ENVIRONMENT, ...environment };
  try {
    await run(process.execPath, [nextIn(application), 'build', ...flags], { cwd: application, env, timeout: 300_000 });
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`next build failed:\n${stdout}\n${stderr}`);
  }
}

/** `next start` in a process of its own, on a free port. */
export async function start(application: string, environment: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [nextIn(application), 'start', '--port', '0', '--hostname', '127.0.0.1'], {
    cwd: application,
    env: { ...ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed) ?? [];
        if (origin && /Ready in|✓ Ready/.test(printed)) resolve(origin);
      });
    }
    child.once('exit', () => reject(new Error(`next start ended:\n${printed}`)));
  });
  return { origin: await ready, printed: () => printed, stop: () => child.kill('SIGKILL') };
}

function nextIn(application: string): string {
  return join(application, '../node_modules/next/dist/bin/next');
}
