import type { DeadLetter, DeadLetterAddress, DeadLetterQuery, DeadReason, WebhookQueue } from '../../index.ts';
import type { Context } from '../support/context.ts';
import { CliError, EXIT, usage } from '../support/failure.ts';
import { plainLines } from '../support/plain.ts';
import { type StoreOptions, withQueue } from '../support/store.ts';

interface FilterOptions extends StoreOptions {
  readonly reason?: DeadReason;
  readonly type?: string;
  readonly tenant?: string;
  readonly since?: number;
  readonly limit?: number;
}

export interface ReplayLettersOptions extends FilterOptions {
  readonly all?: boolean;
  readonly clearSteps?: boolean;
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export async function listDeadLetters(context: Context, options: FilterOptions): Promise<undefined> {
  const { printer } = context;
  await withQueue(context, options, async (queue) => {
    const letters = await queue.deadLetters.list(queryOf(options));
    printer.data({ items: letters.map(documentOf), total: letters.length });
    printLetters(context, letters);
    const [oldest] = letters;
    if (!oldest) printer.note('No dead letters.');
    else
      printer.note(
        `${letters.length} dead. Replay: pathfinder-webhooks dead-letters replay ${oldest.key}, or --all --yes`,
      );
  });
  return undefined;
}

export async function showDeadLetter(
  context: Context,
  options: StoreOptions & { readonly tenant?: string },
  key = '',
): Promise<undefined> {
  const { printer } = context;
  await withQueue(context, options, async (queue) => {
    const letter = await queue.deadLetters.get(addressOf(key, options.tenant));
    if (!letter) throw notFound(key);
    printer.data({
      ...documentOf(letter),
      headers: letter.headers,
      bodyBase64: Buffer.from(letter.body).toString('base64'),
    });
    printLetters(context, [letter]);
    for (const [name, value] of Object.entries(letter.headers)) printer.line(['dim', `${name}: ${value}`]);
    printer.raw(`\n${plainLines(Buffer.from(letter.body).toString('utf8'))}\n`);
  });
  return undefined;
}

export async function replayDeadLetters(
  context: Context,
  options: ReplayLettersOptions,
  ...args: unknown[]
): Promise<number> {
  const keys = namedIn(args);
  const { printer, terminal } = context;
  checkWhich(keys, options);
  return withQueue(context, options, async (queue) => {
    const which = options.all ? queryOf(options) : keys.map((key) => addressOf(key, options.tenant));
    const letters = await find(queue, which, keys);
    if (options.dryRun) {
      printer.data({ wouldReplay: letters.map(documentOf) });
      printLetters(context, letters);
      printer.note(`Would replay ${letters.length}. Nothing was changed.`);
      return EXIT.ok;
    }
    // The letters that were found are replayed, and not those that a filter matches a moment later.
    const addresses = letters.map(({ key }) => key);
    const replayed = await queue.deadLetters.replay(addresses, {
      steps: options.clearSteps ? 'clear' : 'keep',
      signal: terminal.signal,
      ...(options.rate !== undefined && { ratePerSecond: options.rate }),
    });
    printer.data({ replayed });
    printer.line(['green', '✓ '], `queued ${replayed} again. `, ['dim', 'A worker of your app runs them.']);
    return replayed === letters.length ? EXIT.ok : EXIT.no;
  });
}

export async function discardDeadLetters(
  context: Context,
  options: StoreOptions & { readonly tenant?: string; readonly yes?: boolean },
  ...args: unknown[]
): Promise<undefined> {
  const keys = namedIn(args);
  if (!options.yes) {
    throw usage(
      `${keys.length} dead letter${keys.length === 1 ? '' : 's'} would be deleted for good.`,
      'Pass --yes if that is what you want.',
    );
  }
  await withQueue(context, options, async (queue) => {
    const letters = await find(
      queue,
      keys.map((key) => addressOf(key, options.tenant)),
      keys,
    );
    const discarded = await queue.deadLetters.discard(letters.map(({ key }) => key));
    context.printer.data({ discarded });
    context.printer.line(['green', '✓ '], `deleted ${discarded}`);
  });
  return undefined;
}

/** The names that a command was given, each once. */
function namedIn(args: readonly unknown[]): readonly string[] {
  return [...new Set(args.flat() as string[])];
}

function checkWhich(keys: readonly string[], { all, yes, dryRun }: ReplayLettersOptions): void {
  if (all === keys.length > 0 || (!all && keys.length === 0)) {
    throw usage(
      all ? '--all and names exclude each other.' : 'Which ones?',
      'Name them as `dead-letters list` does, or pass --all.',
    );
  }
  if (all && !yes && !dryRun) {
    throw usage('All that match would be queued again.', 'Look with --dry-run, then pass --yes.');
  }
}

async function find(
  { deadLetters }: WebhookQueue,
  which: DeadLetterQuery | readonly DeadLetterAddress[],
  keys: readonly string[],
): Promise<readonly DeadLetter[]> {
  if (!Array.isArray(which)) return deadLetters.list(which as DeadLetterQuery);
  const letters: DeadLetter[] = [];
  for (const [i, address] of (which as readonly DeadLetterAddress[]).entries()) {
    const letter = await deadLetters.get(address);
    if (!letter) throw notFound(keys[i] ?? '');
    letters.push(letter);
  }
  return letters;
}

function queryOf({ reason, type, tenant, since, limit }: FilterOptions): DeadLetterQuery {
  return { reason, type, tenant, limit, ...(since !== undefined && { sinceMs: Date.now() - since }) };
}

function addressOf(key: string, tenant: string | undefined): DeadLetterAddress {
  return /^letter_\d+$/.test(key) ? key : { id: key, ...(tenant !== undefined && { tenant }) };
}

function notFound(key: string): CliError {
  return new CliError(
    'no',
    'not_found',
    `There is no dead letter ${key}.`,
    'See `pathfinder-webhooks dead-letters list`. Nothing was changed.',
  );
}

function documentOf(letter: DeadLetter) {
  const { key, id, tenant, type, reason, created, receivedAtMs, failedAtMs, failures, error } = letter;
  return {
    key,
    id,
    ...(tenant !== undefined && { tenant }),
    type,
    reason,
    created,
    receivedAt: new Date(receivedAtMs).toISOString(),
    failedAt: new Date(failedAtMs).toISOString(),
    failures,
    error,
  };
}

function printLetters({ printer }: Context, letters: readonly DeadLetter[]): void {
  for (const { key, id, type, reason, failedAtMs, failures, error } of letters) {
    const time = new Date(failedAtMs).toISOString().slice(0, 19).replace('T', ' ');
    const [said = ''] = error.split('\n');
    const why = reason === 'failed' ? said : [reason, said].filter(Boolean).join(': ');
    printer.line(['bold', key.padEnd(10)], `  ${type.padEnd(20)}  ${id}  `, ['dim', `${time}  ${failures}×  `], why);
  }
}
