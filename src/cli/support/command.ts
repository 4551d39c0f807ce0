import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from './context.ts';

/** The work of a command. Returns the exit code; none stands for 0. */
export type Action<Options> = (context: Context, options: Options, ...args: string[]) => Promise<number | undefined>;

/** Runs actions: with the context made of the options that every command has. */
export type Runner = <Options>(
  command: Command,
  load: () => Promise<Action<Options>>,
) => (...parameters: unknown[]) => Promise<void>;

/** A command as the program declares it. */
export type Declare = (program: Command, runner: Runner) => void;

/** Adds examples to the end of a command's help, each with what it is for. */
export function examples(command: Command, lines: readonly (readonly [command: string, what: string])[]): Command {
  const width = Math.max(...lines.map(([line]) => line.length));
  const text = lines.map(([line, what]) => `  $ pathfinder-webhooks ${line.padEnd(width)}  # ${what}`);
  return command.addHelpText('after', `\nExamples:\n${text.join('\n')}`);
}

/** Parses a whole number. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const upTo = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number from ${least}${upTo}.`);
  };
}

/** Parses a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses a time such as `500ms`, `10s`, `5m`, `1h` or `2d`, as milliseconds. A number alone is seconds. */
export function time(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const ms = Math.round(Number(number || Number.NaN) * (UNITS[unit] ?? 1));
  if (ms >= 1 && ms <= 2 ** 31 - 1) return ms;
  throw new InvalidArgumentError('It must be a time from 1ms, such as 500ms, 10s, 5m or 1h.');
}

/** Gathers what an option is given several times. */
export function repeatable(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Gathers a list separated by commas, given once or several times. */
export function list(text: string, before: readonly string[] = []): readonly string[] {
  const items = text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
  if (items.length === 0) throw new InvalidArgumentError('It must name at least one.');
  return [...before, ...items];
}
