import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { secretFingerprint } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { addToEnvFile } from '../support/env-file.ts';
import { CliError, usage } from '../support/failure.ts';
import { SECRET } from '../support/settings.ts';

const ENV_FILE = '.env.local';

export interface InitOptions {
  readonly framework?: Framework;
  readonly path?: string;
  readonly yes?: boolean;
}

type Framework = 'express' | 'fastify' | 'next' | 'hono' | 'node';

/** Says how to mount a receiver here, and with `yes` writes a secret for this machine. */
export async function init(context: Context, options: InitOptions): Promise<undefined> {
  const { printer, settings, terminal } = context;
  const path = readPath(options.path ?? '/webhooks/pathfinder');
  const framework = options.framework ?? findFramework(terminal.cwd);
  const { file, code } = ROUTES[framework](path);
  const present = settings.find(SECRET);
  const secret = present ? undefined : makeSecret(context, options.yes === true);
  const url = `http://localhost:3000${path}`;
  const state = present ? 'present' : secret ? 'written' : 'missing';
  printer.data({ framework, secret: state, ...(secret && { file: ENV_FILE }), route: { file, path, code }, url });
  printer.line(['bold', 'Framework  '], framework);
  printer.line(['bold', 'Secret     '], secretLine(present?.source, secret));
  printer.line(['bold', 'Route      '], `nothing is written: paste this into ${file}`);
  printer.raw(`\n${code.replace(/^/gm, '    ')}\n`);
  printer.line('');
  if (secret) printer.note(`Keep ${ENV_FILE} out of the repository. Node reads it with --env-file=${ENV_FILE}.`);
  printer.note(`Next: pathfinder-webhooks send user.created --to ${url}`);
  return undefined;
}

function makeSecret({ terminal }: Context, write: boolean): string | undefined {
  if (!write) return undefined;
  const secret = `whsec_local_${randomBytes(24).toString('hex')}`;
  addToEnvFile(terminal.cwd, ENV_FILE, SECRET, secret);
  return secret;
}

function secretLine(source: string | undefined, written: string | undefined): string {
  if (source) return `${source}, which stays`;
  if (written) return `wrote ${SECRET} to ${ENV_FILE} (fingerprint ${secretFingerprint(written)})`;
  return `${SECRET} is not set: --yes writes one to ${ENV_FILE}`;
}

function readPath(path: string): string {
  if (/^\/[\w./-]*$/.test(path)) return path;
  throw usage('--path is no path of a route.', 'Pass one such as /webhooks/pathfinder.');
}

function findFramework(cwd: string): Framework {
  let text: string;
  try {
    text = readFileSync(resolve(cwd, 'package.json'), 'utf8');
  } catch {
    return 'node';
  }
  const found = dependenciesIn(text);
  // Next apps may have Express too, and Fastify apps Hono: the more special one wins.
  return (['next', 'fastify', 'hono', 'express'] as const).find((name) => found.has(name)) ?? 'node';
}

function dependenciesIn(text: string): ReadonlySet<string> {
  try {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(text) as Record<string, object>;
    return new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
  } catch {
    throw new CliError('setup', 'file_unreadable', 'package.json is no JSON.', 'Correct it, or pass --framework.');
  }
}

const HANDLER = `import { WebhookHandler } from '@pathfinder/webhooks';

export const webhooks = new WebhookHandler(process.env.${SECRET} ?? '');
webhooks.on('user.created', ({ data }) => console.log(data.user.email));`;

type Route = (path: string) => { readonly file: string; readonly code: string };

const ROUTES: Readonly<Record<Framework, Route>> = {
  express: (path) => ({
    file: 'your app, above app.use(express.json())',
    code: `import { toExpressHandler } from '@pathfinder/webhooks/express';\n${HANDLER}\n\napp.post('${path}', toExpressHandler(webhooks));`,
  }),
  fastify: (path) => ({
    file: 'your app',
    code: `import { toFastifyPlugin } from '@pathfinder/webhooks/fastify';\n${HANDLER}\n\nawait app.register(toFastifyPlugin(webhooks), { prefix: '${path}' });`,
  }),
  next: (path) => ({
    file: `app${path}/route.ts`,
    code: `import { toNextRoute } from '@pathfinder/webhooks/next';\n${HANDLER.replace('export const', 'const')}\n\nexport const POST = toNextRoute(webhooks);`,
  }),
  hono: (path) => ({
    file: 'your app',
    code: `import { toHonoHandler } from '@pathfinder/webhooks/hono';\n${HANDLER}\n\napp.post('${path}', toHonoHandler(webhooks));`,
  }),
  node: (path) => ({
    file: 'server.mjs',
    code: `import { createServer } from 'node:http';\nimport { toNodeListener } from '@pathfinder/webhooks/node';\n${HANDLER}\n\n// ${path}: every path of this server is the route.\ncreateServer(toNodeListener(webhooks)).listen(3000);`,
  }),
};
