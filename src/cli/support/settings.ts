import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { CliError, usage } from './failure.ts';
import { readFile, readStdin } from './files.ts';
import type { GlobalOptions, Printer } from './printer.ts';
import type { Terminal } from './terminal.ts';

export const SECRET = 'PATHFINDER_WEBHOOK_SECRET';
/** The variable for a signing key of Pathfinder's own making, which may sign as well. */
export const SIGNING_KEY = 'PATHFINDER_WEBHOOK_SIGNING_KEY';
const PREVIOUS_SECRET = 'PATHFINDER_WEBHOOK_SECRET_PREVIOUS';
const DEFAULT_ENV_FILES = ['.env.local', '.env'];

/** A setting, and where it came from. */
export interface Setting {
  readonly value: string;
  /** In words: `PATHFINDER_WEBHOOK_SECRET from .env.local`. */
  readonly source: string;
}

type EnvFile = readonly [name: string, values: Readonly<Record<string, string | undefined>>];

/** Finds settings: the environment before the env files, whose values never get into this process's own environment. */
export class Settings {
  readonly #terminal: Terminal;
  readonly #envFile: string | undefined;
  #files: readonly EnvFile[] | undefined;

  constructor(terminal: Terminal, { envFile }: GlobalOptions) {
    this.#terminal = terminal;
    this.#envFile = envFile;
  }

  /** The env files, read when the first setting is asked for: a command that needs none does not fail for them. */
  #readFiles(): readonly EnvFile[] {
    this.#files ??= this.#fileNames().map((name) => [name, parseEnv(readFile(this.#terminal, name).toString('utf8'))]);
    return this.#files;
  }

  #fileNames(): readonly string[] {
    if (this.#envFile !== undefined) return [this.#envFile];
    return DEFAULT_ENV_FILES.filter((name) => existsSync(resolve(this.#terminal.cwd, name)));
  }

  /** A setting, if it is given. */
  find(name: string): Setting | undefined {
    return this.findAll(name)[0];
  }

  /** Every place that gives a setting, the one that wins first. */
  findAll(name: string): readonly Setting[] {
    const own = this.#terminal.env[name];
    const inFiles = this.#readFiles().flatMap(([file, values]) =>
      values[name] ? [{ value: values[name], source: `${name} from ${file}` }] : [],
    );
    return own ? [{ value: own, source: name }, ...inFiles] : inFiles;
  }
}

/** The signing secret: from stdin, an option, the environment or an env file. @throws CliError without one, or with an unusable one. */
export async function readSecret(
  terminal: Terminal,
  settings: Settings,
  options: GlobalOptions,
  printer: Printer,
): Promise<Setting> {
  const secret = await findSecret(terminal, settings, options, printer);
  if (!secret) {
    const fix = `Set ${SECRET} in the environment or in .env.local (\`pathfinder-webhooks init\` writes one), or pass --secret-stdin.`;
    throw new CliError('setup', 'secret_missing', `There is no signing secret: ${SECRET} is not set.`, fix);
  }
  return checkSecret(secret);
}

/** The signing secret, if there is one. */
export async function findSecret(
  terminal: Terminal,
  settings: Settings,
  options: GlobalOptions,
  printer: Printer,
): Promise<Setting | undefined> {
  if (options.secretStdin) {
    if (options.secret !== undefined)
      throw usage('--secret and --secret-stdin exclude each other.', 'Pass one of them.');
    const [line = ''] = (await readStdin(terminal)).toString('utf8').split(/\r?\n/);
    if (!line) throw new CliError('setup', 'secret_missing', 'Stdin holds no secret.', 'Pipe it in, in one line.');
    return { value: line, source: 'stdin' };
  }
  if (options.secret !== undefined) {
    printer.warn(`--secret shows in the shell's history and in the list of processes: better set ${SECRET}.`);
    return { value: options.secret, source: '--secret' };
  }
  return settings.find(SECRET) ?? settings.find(SIGNING_KEY);
}

/** The secrets that a receiver takes besides: the signing key, and the secret before, while rotating. */
export function otherSecrets(settings: Settings, secret: Setting | undefined): readonly Setting[] {
  const found = [SIGNING_KEY, PREVIOUS_SECRET].flatMap((name) => settings.find(name) ?? []);
  return found.filter(({ value }) => value !== secret?.value);
}

function checkSecret(secret: Setting): Setting {
  const { value, source } = secret;
  if (value && value.trim() === value && !/\p{Cs}/u.test(value)) return secret;
  throw new CliError(
    'setup',
    'secret_unusable',
    `The secret (${source}) is empty or has white space around it.`,
    'Remove the white space: a receiver refuses such a secret too.',
  );
}

/** The token and the address of the management API. @throws CliError that names what is missing. */
export function readApi(settings: Settings): { readonly token: string; readonly baseUrl: string } {
  const token = settings.find('PATHFINDER_API_TOKEN');
  const baseUrl = settings.find('PATHFINDER_API_URL');
  const missing = [!token && 'PATHFINDER_API_TOKEN', !baseUrl && 'PATHFINDER_API_URL'].filter(Boolean).join(' and ');
  if (token && baseUrl) return { token: token.value, baseUrl: baseUrl.value };
  const fix =
    'Set it in the environment or in .env.local. Without an account: `pathfinder-webhooks sandbox` prints both.';
  throw new CliError('setup', 'api_not_configured', `The management API is not configured: ${missing} not set.`, fix);
}
