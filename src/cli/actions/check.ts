import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Context } from '../support/context.ts';
import { CliError, EXIT, usage } from '../support/failure.ts';
import { fileProblem } from '../support/files.ts';
import { readSecret } from '../support/settings.ts';
import { readTarget } from '../support/target.ts';
import { Bench } from './check/bench.ts';
import type { Case } from './check/case.ts';
import { CASES } from './check/cases.ts';
import { toJunit } from './check/junit.ts';
import { type Result, runCases } from './check/run-cases.ts';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_SETTLE_MS = 500;
const MARKS = {
  passed: ['green', '✓ '],
  warning: ['yellow', '! '],
  failed: ['red', '✗ '],
  skipped: ['dim', '– '],
} as const;

export interface CheckOptions {
  readonly effects?: string;
  readonly log?: string;
  readonly restart?: string;
  readonly only?: readonly string[];
  readonly settle?: number;
  readonly timeout?: number;
  readonly junit?: string;
  readonly list?: boolean;
}

/** Sends a receiver what it has to take, to refuse and to survive, and says what it did. */
export async function check(context: Context, options: CheckOptions, to = ''): Promise<number> {
  const { printer, terminal, settings, globals } = context;
  const cases = chooseCases(options.only);
  if (options.list) {
    printer.data(cases.map(({ id, title, why, needs = [] }) => ({ id, title, why, needs })));
    for (const { id, title } of cases) printer.line(['bold', id.padEnd(22)], `  ${title}`);
    return EXIT.ok;
  }
  const url = readTarget(to, 'The URL');
  const secret = await readSecret(terminal, settings, globals, printer);
  const { effects, log, restart, timeout = DEFAULT_TIMEOUT_MS, settle = DEFAULT_SETTLE_MS } = options;
  const bench = new Bench({
    url,
    secret: secret.value,
    timeoutMs: timeout,
    settleMs: settle,
    effects,
    log,
    restart,
    terminal,
  });
  await checkReachable(bench);
  const results = await runCases(bench, cases, ({ title }, i) =>
    printer.progress(`${i + 1} of ${cases.length}: ${title}`),
  );
  printer.progress('');
  const count = (state: Result['state']) => results.filter((result) => result.state === state).length;
  const ok = count('failed') === 0;
  printer.data({
    ok,
    url: url.href,
    passed: count('passed'),
    warnings: count('warning'),
    failed: count('failed'),
    skipped: count('skipped'),
    results,
  });
  for (const result of results) printResult(context, result);
  printer.line(
    `${count('passed')} passed, ${count('failed')} failed, ${count('warning')} warned, ${count('skipped')} skipped`,
  );
  if (options.junit !== undefined) writeJunit(terminal.cwd, options.junit, results);
  return ok ? EXIT.ok : EXIT.no;
}

function printResult({ printer }: Context, { id, title, state, detail, why, cure }: Result): void {
  printer.line(MARKS[state], ['bold', id.padEnd(22)], `  ${title}`, ['dim', `: ${detail}`]);
  if (state === 'failed') printer.line(' '.repeat(26), ['dim', 'why  '], why);
  if (state === 'failed' || state === 'warning') printer.line(' '.repeat(26), ['yellow', 'cure '], cure);
}

function chooseCases(only: readonly string[] | undefined): readonly Case[] {
  if (!only) return CASES;
  const known = new Map(CASES.map((one) => [one.id, one]));
  const unknown = only.filter((id) => !known.has(id));
  if (unknown.length > 0)
    throw usage(`There is no case ${unknown.join(', ')}.`, 'See `pathfinder-webhooks check <url> --list`.');
  const wanted = new Set(['valid', ...only.flatMap((id) => [...(known.get(id)?.rests ?? []), id])]);
  return CASES.filter(({ id }) => wanted.has(id));
}

// A receiver that is not there has failed no case.
async function checkReachable(bench: Bench): Promise<void> {
  const { status, said } = await bench.send(bench.sample('auth.login'));
  if (status !== 0) return;
  const { origin } = bench.options.url;
  throw new CliError('unreachable', 'unreachable', `${origin}: ${said}.`, 'Start the receiver, or check the URL.');
}

function writeJunit(cwd: string, path: string, results: readonly Result[]): void {
  try {
    writeFileSync(resolve(cwd, path), toJunit(results));
  } catch (error) {
    throw new CliError(
      'setup',
      'file_unwritable',
      `${path} cannot be written: ${fileProblem(error)}.`,
      'Check the path.',
    );
  }
}
