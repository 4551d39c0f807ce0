import { styleText } from 'node:util';

/** One delivery: what was sent, what was to come back, and what did. */
export interface Line {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
  readonly ms: number;
}

const colours = process.stdout.isTTY && !process.env.NO_COLOR;

export function isAsExpected({ expected, got }: Line): boolean {
  return expected === got;
}

export function printTitle(title: string): void {
  console.log(`\n${colours ? styleText('bold', title) : title}`);
}

/** Prints the lines, those that went wrong with what was expected, and returns whether none did. */
export function printLines(lines: readonly Line[]): boolean {
  const width = Math.max(...lines.map(({ what }) => what.length));
  const gotWidth = Math.max(...lines.map(({ got }) => got.length));
  for (const line of lines) {
    const good = isAsExpected(line);
    const mark = good ? '✓' : '✗';
    const coloured = colours ? styleText(good ? 'green' : 'red', mark) : mark;
    const cells = [
      coloured,
      line.what.padEnd(width),
      line.got.padEnd(gotWidth),
      `${line.ms.toFixed(1).padStart(6)} ms`,
    ];
    console.log(`  ${cells.join('  ')}${good ? '' : `   expected ${line.expected}`}`);
  }
  return lines.every(isAsExpected);
}
