import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { secretFingerprint } from '../../../testing/index.ts';
import type { Context } from '../../support/context.ts';
import { findSecret, otherSecrets, SECRET, type Setting } from '../../support/settings.ts';
import type { NoteCheck } from './check.ts';

const NODE_FLOOR = [20, 19] as const;
const SHORT = 16;

/** Looks at Node, the package and the secrets. Returns the secrets, the current one first, if it can sign. */
export async function checkSetup(context: Context, note: NoteCheck): Promise<readonly Setting[] | undefined> {
  checkNode(note);
  checkCopies(context.terminal.cwd, note);
  return checkSecret(context, note);
}

function checkNode(note: NoteCheck): void {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const ok = major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]);
  if (ok) note({ id: 'node', state: 'ok', detail: node });
  else note({ id: 'node', state: 'problem', detail: `${node} is too old`, fix: 'Update to Node 20.19 or later.' });
}

// Two copies share neither their memory of events nor their types.
function checkCopies(cwd: string, note: NoteCheck): void {
  const require = createRequire(import.meta.url);
  const { version } = require('@pathfinder/webhooks/package.json') as { version: string };
  const local = join(cwd, 'node_modules/@pathfinder/webhooks/package.json');
  const installed = existsSync(local) ? (require(local) as { version: string }).version : undefined;
  if (installed === undefined || installed === version) {
    note({ id: 'package', state: 'ok', detail: `@pathfinder/webhooks ${version}` });
    return;
  }
  const detail = `this command is ${version}, the project has ${installed}`;
  note({ id: 'package', state: 'problem', detail, fix: 'Run it as `npx pathfinder-webhooks` within the project.' });
}

async function checkSecret(context: Context, note: NoteCheck): Promise<readonly Setting[] | undefined> {
  const { terminal, settings, globals, printer } = context;
  const secret = await findSecret(terminal, settings, globals, printer);
  if (!secret) {
    const fix = '`pathfinder-webhooks init --yes` writes one to .env.local.';
    note({ id: 'secret', state: 'problem', detail: `${SECRET} is not set`, fix });
    return undefined;
  }
  const { value, source } = secret;
  if (value.trim() !== value || /\p{Cs}/u.test(value)) {
    note({
      id: 'secret',
      state: 'problem',
      detail: `${source} has white space around it`,
      fix: 'Remove it: a receiver refuses such a secret.',
    });
    return undefined;
  }
  const others = otherSecrets(settings, secret);
  const all = [secret, ...others].map((each) => `${each.source}, fingerprint ${secretFingerprint(each.value)}`);
  if (Buffer.byteLength(value) < SHORT) {
    note({
      id: 'secret',
      state: 'problem',
      detail: `${source} is shorter than ${SHORT} characters`,
      fix: 'Use 32 random bytes, such as `openssl rand -hex 32`.',
    });
  } else {
    note({ id: 'secret', state: 'ok', detail: all.join('; ') });
  }
  checkSources(context, note);
  return [secret, ...others];
}

function checkSources({ settings }: Context, note: NoteCheck): void {
  const [winner, ...others] = settings.findAll(SECRET);
  const other = others.find(({ value }) => value !== winner?.value);
  if (!winner || !other) return;
  const detail = `${winner.source} wins over ${other.source}, which has another value`;
  note({ id: 'secret_sources', state: 'problem', detail, fix: 'Remove the one that your app does not read.' });
}
