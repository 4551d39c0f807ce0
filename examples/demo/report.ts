import type { WebhookStats } from '@pathfinder/webhooks';

/** One check: what was done, what was to come of it, and what did. */
export interface Line {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
  /** Whether `got` is as expected, where it need not be the same text. */
  readonly good?: boolean;
  /** How long the reply took; absent where there was none to wait for. */
  readonly ms?: number;
}

export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface ReportOptions {
  /** Default false. */
  readonly colours?: boolean;
}

/** Prints what happens as it happens, and counts what was not as expected. */
export interface Report {
  /** A sentence of the story. */
  say(text: string): void;
  /** A section, its columns aligned with those of all others. */
  show(section: Section): void;
  /** The numbers, then the verdict: true if every line was as expected. */
  end(counts: WebhookStats): boolean;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32 } as const;
const WIDTHS = { what: 44, got: 24 };

export function createReport(print: (text: string) => void, { colours = false }: ReportOptions = {}): Report {
  let shown = 0;
  let wrong = 0;

  function paint(style: keyof typeof STYLES, text: string): string {
    return colours ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
  }

  function showLine(line: Line): void {
    const good = line.good ?? line.expected === line.got;
    shown++;
    if (!good) wrong++;
    const mark = good ? paint('green', '✓') : paint('red', '✗');
    const ms = line.ms === undefined ? '' : paint('dim', `${line.ms.toFixed(1).padStart(6)} ms`);
    print(`  ${mark}  ${line.what.padEnd(WIDTHS.what)}  ${line.got.padEnd(WIDTHS.got)}  ${ms}`.trimEnd());
    if (!good) print(`     ${paint('red', `expected: ${line.expected}`)}`);
  }

  return {
    say: print,

    show({ title, lines }) {
      print(`\n${paint('bold', title)}`);
      for (const line of lines) showLine(line);
    },

    end(counts) {
      print(`\n${paint('bold', 'webhooks.metrics.getStats() of the second process')}`);
      for (const line of formatStats(counts)) print(line);
      const verdict = `${wrong} of ${shown} lines ${wrong === 1 ? 'is' : 'are'} not as expected: see ✗ above.`;
      print(`\n${wrong === 0 ? paint('green', `All ${shown} lines are as expected.`) : paint('red', verdict)}`);
      return wrong === 0;
    },
  };
}

function formatStats({ byType, latency, ...stats }: WebhookStats): string[] {
  const rows = Object.entries(stats).map(([name, value]) => [name, formatNumber(value)] as const);
  rows.push(
    ['byType', `${Object.keys(byType).length} types`],
    ['latency', `of the last ${latency.length} events, in ms`],
  );
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `     ${name.padEnd(width)}  ${value}`);
}

function formatNumber(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, count]) => `${name} ${count}`)
    .join(' · ');
}
