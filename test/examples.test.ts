import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { WebhookMetrics } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatReport } from '../examples/demo/report.ts';
import { bodyOf, SECRET, sign } from './support/deliver.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const ACCEPTED = '{"success":true,"status":"processed","processed":1,"failed":0}';
const REFUSED = '{"success":false,"error":"invalid_signature"}';

describe('examples/express.ts', () => {
  it('receives a signed delivery and refuses its forged twin', async () => {
    const { child, lines } = start('examples/express.ts', { PORT: '0', PATHFINDER_WEBHOOK_SECRET: SECRET });
    const url = await lines.find(/^listening on (.*)$/);
    expect(await send(url, sign(bodyOf(), 'a guess'))).toEqual([401, REFUSED]);
    expect(lines.all.filter((line) => line.includes('welcome'))).toEqual([]);
    expect(await send(url, sign(bodyOf()))).toEqual([200, ACCEPTED]);
    expect(await lines.find(/^(welcome, .*)$/)).toBe('welcome, ada');
    expect(child.exitCode).toBeNull();
  });

  it('does not start without a secret, and says what is wrong', async () => {
    const { child, lines } = start('examples/express.ts', { PORT: '0', PATHFINDER_WEBHOOK_SECRET: '' });
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(lines.all.join('\n')).toContain('Webhook secret: pass 1 to 5 non-empty strings');
  });
});

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

interface Lines {
  readonly all: readonly string[];
  /** What the first group of the pattern matched, once a line matches it. */
  find(pattern: RegExp): Promise<string>;
}

function start(script: string, environment: NodeJS.ProcessEnv = {}): { child: ChildProcess; lines: Lines } {
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill());
  return { child, lines: linesOf(child.stdout, child.stderr) };
}

function linesOf(...streams: readonly Readable[]): Lines {
  const all: string[] = [];
  const interfaces = streams.map((input) => createInterface({ input }));
  for (const one of interfaces) one.on('line', (line) => all.push(line));
  return {
    all,
    async find(pattern) {
      for (;;) {
        const [, found] = all.map((line) => pattern.exec(line)).find((match) => match !== null) ?? [];
        if (found !== undefined) return found;
        await Promise.race(interfaces.map((one) => once(one, 'line')));
      }
    },
  };
}

async function send(url: string, signature: string): Promise<readonly [number, string]> {
  const headers = { 'x-pathfinder-signature': signature };
  const response = await fetch(url, { method: 'POST', headers, body: bodyOf() });
  return [response.status, await response.text()];
}
