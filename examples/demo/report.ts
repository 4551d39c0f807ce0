import type { WebhookStats } from '@pathfinder/webhooks';

/** One check: what was done, what was to come of it, and what did. */
export interface Line {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
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

type Paint = (style: keyof typeof STYLES, text: string) => string;

const STYLES = { bold: 1, dim: 2, red: 31, green: 32 } as const;

export function isAsExpected({ expected, got }: Line): boolean {
  return expected === got;
}

/** The sections with their columns aligned, then the numbers, then the verdict. */
export function formatReport(
  sections: readonly Section[],
  stats: WebhookStats,
  { colours = false }: ReportOptions = {},
): string {
  const paint: Paint = (style, text) => (colours ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text);
  const lines = sections.flatMap((section) => section.lines);
  const widths = { what: widest(lines.map(({ what }) => what)), got: widest(lines.map(({ got }) => got)) };

  function formatLine(line: Line): string {
    const good = isAsExpected(line);
    const mark = good ? paint('green', '✓') : paint('red', '✗');
    const ms = line.ms === undefined ? '' : paint('dim', `${line.ms.toFixed(1).padStart(6)} ms`);
    const row = `  ${mark}  ${line.what.padEnd(widths.what)}  ${line.got.padEnd(widths.got)}  ${ms}`.trimEnd();
    return good ? row : `${row}\n     ${paint('red', `expected: ${line.expected}`)}`;
  }

  const blocks = sections.map((section) => [paint('bold', section.title), ...section.lines.map(formatLine)].join('\n'));
  const numbers = [paint('bold', 'webhooks.metrics.getStats()'), ...formatStats(stats)].join('\n');
  return [...blocks, numbers, formatVerdict(lines, paint)].join('\n\n');
}

function formatStats({ byType, latency, ...stats }: WebhookStats): string[] {
  const rows = Object.entries(stats).map(([name, value]) => [name, formatNumber(value)] as const);
  rows.push(
    ['byType', `${Object.keys(byType).length} types`],
    ['latency', `of the last ${latency.length} events, in ms`],
  );
  const width = widest(rows.map(([name]) => name));
  return rows.map(([name, value]) => `     ${name.padEnd(width)}  ${value}`);
}

function formatNumber(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, count]) => `${name} ${count}`)
    .join(' · ');
}

function formatVerdict(lines: readonly Line[], paint: Paint): string {
  const wrong = lines.filter((line) => !isAsExpected(line)).length;
  if (wrong === 0) return paint('green', `All ${lines.length} lines are as expected.`);
  return paint('red', `${wrong} of ${lines.length} lines ${wrong === 1 ? 'is' : 'are'} not as expected: see ✗ above.`);
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}
