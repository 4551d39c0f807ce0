import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebhookMetrics } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { createReport, type Line } from '../../examples/demo/report.ts';
import { start } from '../support/example-process.ts';
import { describeWith } from '../support/services/services.ts';

const DEMO_MS = 60_000;

async function showsTheSame(engine: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const { child, lines } = start(['examples/demo/index.ts', '--engine', engine], environment);
  const [code] = await once(child, 'close');
  expect([code, lines.all.at(-1)]).toEqual([0, 'All 37 lines are as expected.']);
}

describe('npm run demo', () => {
  it('kills its receiver and prints a report with every line as expected', { timeout: DEMO_MS }, async () => {
    const { child, lines } = start('examples/demo/index.ts');
    const [code] = await once(child, 'close');
    expect(lines.all.at(-1)).toBe('All 37 lines are as expected.');
    const marks = lines.all.map((line) => line.trimStart()[0]);
    expect([code, marks.filter((mark) => mark === '✓').length, marks.includes('✗')]).toEqual([0, 37, false]);
    expect(lines.all.filter((line) => line.startsWith('SIGKILL: of '))).toHaveLength(1);
    // No colours where nobody sees them.
    expect(lines.all.join('\n')).not.toContain('\u001b');
  });

  it('rejects an unknown engine, and names a server that does not respond', async () => {
    const run = async (engine: string, environment: NodeJS.ProcessEnv = {}) => {
      const { child, lines } = start(['examples/demo/index.ts', '--engine', engine], environment);
      const [code] = await once(child, 'close');
      return [code, lines.all];
    };
    expect(await run('mongodb')).toEqual([2, ['There is no engine mongodb: --engine sqlite|bullmq|pg-boss.']]);
    const nowhere = 'postgres://postgres@127.0.0.1:1/postgres';
    expect(await run('pg-boss', { DATABASE_URL: nowhere })).toEqual([
      1,
      ['PostgreSQL does not answer at 127.0.0.1:1: start it, or set DATABASE_URL.'],
    ]);
  });

  it.each([
    [
      'verifies-nothing',
      [
        'a forgery, signed with another secret',
        'a body changed on its way',
        'events acknowledged',
        'events completed, each with its mail',
      ],
    ],
    ['acknowledges-first', ['events completed, each with its mail', 'acknowledged and lost']],
    ['effect-first', ['mails written twice']],
  ])('detects a receiver that %s and marks the affected lines', { timeout: DEMO_MS }, async (twin, wrong) => {
    const { child, lines } = start([fileURLToPath(new URL('../support/demo-twins/run.ts', import.meta.url)), twin]);
    const [code] = await once(child, 'close');
    const marked = lines.all.filter((line) => line.startsWith('  ✗')).map((line) => line.slice(5, 49).trim());
    // A kill cuts off whatever is at work in its moment, and with these faults that may be nothing.
    const ofTheMoment = ['runs cut off and made again', 'deliveries without a reply, made again'];
    expect(marked.filter((line) => !ofTheMoment.includes(line))).toEqual(wrong);
    const { length } = marked;
    const verdict = `${length} of 37 lines ${length === 1 ? 'is' : 'are'} not as expected: see ✗ above.`;
    expect([code, lines.all.at(-1)]).toEqual([1, verdict]);
  });

  describeWith('redis', 'npm run demo on BullMQ', (url) => {
    it('prints the same report on BullMQ', { timeout: DEMO_MS }, () => showsTheSame('bullmq', { REDIS_URL: url }));
  });

  describeWith('postgres', 'npm run demo on pg-boss', (url) => {
    it('prints the same report on pg-boss', { timeout: DEMO_MS }, () => showsTheSame('pg-boss', { DATABASE_URL: url }));
  });

  it('npm run demo marks unexpected lines, in color where supported', () => {
    const stats = new WebhookMetrics({ now: () => 0 }).getStats();
    const line = { what: 'a forgery', expected: '401 invalid_signature', ms: 1.26 };
    const reportOn = (lines: readonly Pick<Line, 'got' | 'good'>[], colours = false) => {
      const printed: string[] = [];
      const report = createReport((text) => void printed.push(...text.split('\n')), { colours });
      report.show({ title: 'Refused', lines: lines.map((one) => ({ ...line, ...one })) });
      return [report.end(stats), printed] as const;
    };
    const [bad, printed] = reportOn([{ got: '200 processed' }, { got: line.expected }, { got: '401', good: true }]);
    expect(printed.slice(0, 6).map((text) => text.replace(/ +/g, ' '))).toEqual([
      '',
      'Refused',
      ' ✗ a forgery 200 processed 1.3 ms',
      ' expected: 401 invalid_signature',
      ' ✓ a forgery 401 invalid_signature 1.3 ms',
      ' ✓ a forgery 401 1.3 ms',
    ]);
    expect([bad, printed.at(-1)]).toEqual([false, '1 of 3 lines is not as expected: see ✗ above.']);
    const [good, all] = reportOn([{ got: line.expected }]);
    expect([good, all.at(-1)]).toEqual([true, 'All 1 lines are as expected.']);
    expect(reportOn([{ got: '500' }], true)[1][2]).toContain('\u001b[31m✗');
  });
});
