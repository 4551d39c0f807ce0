import { styleText } from 'node:util';
import type { CliError } from './failure.ts';
import { plain, plainJson } from './plain.ts';
import type { Terminal } from './terminal.ts';

type Style = 'green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan';

/** The options that every command has. */
export interface GlobalOptions {
  /** Data as JSON. */
  readonly json?: boolean | undefined;
  /** Without remarks: stderr has failures and warnings only. */
  readonly quiet?: boolean | undefined;
  /** `false`: no colours. */
  readonly color?: boolean | undefined;
  readonly envFile?: string | undefined;
  readonly secretStdin?: boolean | undefined;
  readonly secret?: string | undefined;
}

/** Writes what a command has to say. All of it is harmless to a terminal; every line is escaped as a whole but for its colours. */
export interface Printer {
  readonly json: boolean;
  /** A line of data for people: to stdout, and nowhere with `--json`. */
  line(...parts: readonly Part[]): void;
  /** Text as it is, to stdout: a header value, a body. Nowhere with `--json`. */
  raw(text: string): void;
  /** Data for programs: to stdout, and nowhere without `--json`. */
  data(value: unknown): void;
  /** A remark: to stderr, and nowhere with `--json` or `--quiet`. */
  note(...parts: readonly Part[]): void;
  /** A remark for programs: a line of JSON to stderr, and nowhere without `--json`. */
  noteData(value: unknown): void;
  /** A warning: to stderr, whatever the options. */
  warn(text: string): void;
  /** How far long work has come: a line that is written over, where stderr is a terminal. An empty one ends it. */
  progress(text: string): void;
  failure(error: CliError): void;
}

/** Text, or text in a colour. */
export type Part = string | readonly [style: Style, text: string];

export function createPrinter(terminal: Terminal, options: GlobalOptions): Printer {
  const { stdout, stderr, env } = terminal;
  const json = options.json === true;
  const quiet = options.quiet === true;
  const draws = stderr.isTTY === true && !json && !quiet && env.TERM !== 'dumb' && !env.CI;
  let drawn = false;

  function clear(): void {
    if (drawn) stderr.write('\r\x1b[K');
    drawn = false;
  }

  function render(output: Terminal['stdout'], parts: readonly Part[]): string {
    const colour = hasColour(output, env, options);
    const texts = parts.map((part) => {
      if (typeof part === 'string') return plain(part);
      const text = plain(part[1]);
      // Whether there is colour is decided here, so that it does not depend on the process.
      return colour ? styleText(part[0], text, { validateStream: false }) : text;
    });
    return `${texts.join('')}\n`;
  }

  function tell(parts: readonly Part[]): void {
    clear();
    stderr.write(render(stderr, parts));
  }

  return {
    json,
    line(...parts) {
      clear();
      if (!json) stdout.write(render(stdout, parts));
    },
    raw(text) {
      clear();
      if (!json) stdout.write(text);
    },
    data(value) {
      if (json) stdout.write(`${plainJson(value)}\n`);
    },
    note(...parts) {
      if (!json && !quiet) tell(parts);
    },
    noteData(value) {
      if (json && !quiet) stderr.write(`${plainJson(value)}\n`);
    },
    warn(text) {
      if (json) stderr.write(`${plainJson({ warning: text })}\n`);
      else tell([['yellow', '! '], text]);
    },
    progress(text) {
      clear();
      if (!draws || text === '') return;
      stderr.write(plain(text).slice(0, (stderr.columns ?? 80) - 1));
      drawn = true;
    },
    failure({ code, message, fix }) {
      clear();
      if (json) stderr.write(`${plainJson({ error: { code, message, fix } })}\n`);
      else {
        tell([['red', '✗ '], message]);
        tell([`  ${fix}`]);
      }
    },
  };
}

// https://no-color.org: any value but an empty one turns colours off. FORCE_COLOR turns them on where there is no terminal.
function hasColour(output: Terminal['stdout'], env: Terminal['env'], { color, json }: GlobalOptions): boolean {
  if (color === false || json || env.NO_COLOR || env.TERM === 'dumb') return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return output.isTTY === true;
}
