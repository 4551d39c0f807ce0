import { PathfinderWebhooksClient } from '../../client/index.ts';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../../index.ts';
import { createSandbox, type Sandbox, type SandboxAttempt } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { checkEventType } from '../support/event-input.ts';
import { CliError, EXIT, usage } from '../support/failure.ts';
import { interrupted } from '../support/interrupted.ts';
import { readSecret } from '../support/settings.ts';
import { checkLocal, readTarget } from '../support/target.ts';

export interface SandboxCommandOptions {
  readonly port?: number;
  readonly to?: string;
  readonly events?: readonly string[];
  readonly send?: readonly string[];
  readonly signWith?: 'secret' | 'signing_key';
  readonly duplicateRate?: number;
  readonly reorderRate?: number;
  readonly tamperRate?: number;
  readonly delay?: number;
  readonly seed?: number;
}

/** Runs Pathfinder in a box until it is interrupted, or until what it was to send is through. */
export async function sandbox(context: Context, options: SandboxCommandOptions): Promise<number> {
  const { printer, terminal } = context;
  const { to, send } = options;
  if (to === undefined && (send ?? options.events))
    throw usage('--send and --events need --to.', 'Pass the receiver: --to <url>.');
  const types: readonly string[] = (send ?? []).flatMap((type) => (type === 'all' ? [...WEBHOOK_EVENT_TYPES] : [type]));
  for (const type of [...types, ...(options.events ?? [])]) checkEventType(type, 'See `pathfinder-webhooks events`.');
  const target = to === undefined ? undefined : readTarget(to, '--to');
  if (target) checkLocal(target, '--to');
  const secret = target ? (await readSecret(terminal, context.settings, context.globals, printer)).value : undefined;
  const box = await openSandbox(options);
  try {
    if (target && secret !== undefined) await register(box, target, secret, options.events);
    if (send) return await sendAndReport(context, box, types as readonly WebhookEventType[]);
    printer.data({ url: box.url, token: box.token, seed: box.seed });
    printer.line(['bold', 'PATHFINDER_API_URL'], `=${box.url}`);
    printer.line(['bold', 'PATHFINDER_API_TOKEN'], `=${box.token}`);
    printer.note(['dim', `Seed ${box.seed}. Try with these set: pathfinder-webhooks endpoints list. Ctrl-C ends it.`]);
    await interrupted(terminal.signal);
    return EXIT.interrupted;
  } finally {
    await box.close();
  }
}

async function openSandbox(options: SandboxCommandOptions): Promise<Sandbox> {
  const { port, signWith, duplicateRate, reorderRate, tamperRate, delay, seed } = options;
  try {
    return await createSandbox({ port, signWith, duplicateRate, reorderRate, tamperRate, delayMs: delay, seed });
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw new CliError('setup', 'port_taken', `Port ${port} is not free.`, 'Pass another one, or leave --port away.');
  }
}

async function register(box: Sandbox, target: URL, secret: string, events?: readonly string[]): Promise<void> {
  const client = new PathfinderWebhooksClient({ token: box.token, baseUrl: box.url });
  await client.create({ url: target.href, events: events ?? WEBHOOK_EVENT_TYPES, secret });
}

async function sendAndReport(context: Context, box: Sandbox, types: readonly WebhookEventType[]): Promise<number> {
  const { printer, terminal } = context;
  for (const type of types) box.send(type);
  const stop = () => void box.close();
  terminal.signal.addEventListener('abort', stop, { once: true });
  await box.idle();
  terminal.signal.removeEventListener('abort', stop);
  if (terminal.signal.aborted) return EXIT.interrupted;
  const attempts = box.ledger;
  for (const attempt of attempts) printer.line(...lineOf(attempt));
  const delivered = new Set(
    attempts.filter(({ outcome, tampered }) => outcome === 'delivered' && !tampered).map(({ id }) => id),
  );
  const ok = delivered.size === types.length;
  printer.data({ ok, seed: box.seed, sent: types.length, delivered: delivered.size, attempts });
  printer.note(`${delivered.size} of ${types.length} delivered in ${attempts.length} attempts, seed ${box.seed}`);
  return ok ? EXIT.ok : EXIT.no;
}

function lineOf({ outcome, type, id, status, error, tampered }: SandboxAttempt) {
  const mark = outcome === 'delivered' ? (['green', '✓ '] as const) : (['red', '✗ '] as const);
  return [mark, `${type}  ${id}  `, ['dim', `${status ?? error}${tampered ? ', altered' : ''}`]] as const;
}
