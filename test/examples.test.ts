import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebhookMetrics } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { formatReport } from '../examples/demo/report.ts';
import { start } from './support/example-process.ts';

describe('npm run demo', () => {
  it('prints a report in which every line is as expected', async () => {
    const { child, lines } = start('examples/demo/index.ts');
    const [code] = await once(child, 'close');
    expect(lines.all.at(-1)).toBe('All 32 lines are as expected.');
    const marks = lines.all.map((line) => line.trimStart()[0]);
    expect([code, marks.filter((mark) => mark === '✓').length, marks.includes('✗')]).toEqual([0, 32, false]);
    // No colours where nobody sees them.
    expect(lines.all.join('\n')).not.toContain('\u001b');
  });

  it('notices a receiver that verifies nothing, and says in which lines', async () => {
    const { child, lines } = start(fileURLToPath(new URL('./support/broken-demo.ts', import.meta.url)));
    const [code] = await once(child, 'close');
    expect([code, lines.all.at(-1)]).toEqual([1, '6 of 32 lines are not as expected: see ✗ above.']);
    const wrong = lines.all.filter((line) => line.startsWith('  ✗')).map((line) => line.slice(5, 43).trim());
    expect(wrong).toEqual([
      'a forgery, signed with another secret',
      'a body changed on its way',
      'runs of handlers',
      'events that they were for',
      'events counted',
      'duplicates and refusals',
    ]);
  });

  it('marks a line that is not as expected, in colours where there are some', () => {
    const stats = new WebhookMetrics({ now: () => 0 }).getStats();
    const line = { what: 'a forgery', expected: '401 invalid_signature', got: '200 processed', ms: 1.26 };
    const report = (got: string, colours = false) =>
      formatReport([{ title: 'Refused', lines: [{ ...line, got }] }], stats, { colours }).split('\n');
    expect(report(line.got).slice(0, 3)).toEqual([
      'Refused',
      '  ✗  a forgery  200 processed     1.3 ms',
      '     expected: 401 invalid_signature',
    ]);
    expect(report(line.got).at(-1)).toBe('1 of 1 lines is not as expected: see ✗ above.');
    expect(report(line.expected).slice(0, 2)).toEqual(['Refused', '  ✓  a forgery  401 invalid_signature     1.3 ms']);
    expect(report(line.expected).at(-1)).toBe('All 1 lines are as expected.');
    expect(report(line.got, true)[1]).toContain('\u001b[31m✗');
  });
});
