import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAsExpected, printLines } from '../examples/demo/report.ts';
import { bodyOf, SECRET, sign } from './support/deliver.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(script: string, environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    cwd: root,
    env: { ...process.env, ...environment, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill());
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return { child, output: () => output };
}

describe('examples/express.ts', () => {
  it('receives a signed delivery and refuses a forged one', async () => {
    const { child, output } = run('examples/express.ts', { PORT: '0', PATHFINDER_WEBHOOK_SECRET: SECRET });
    while (!output().includes('listening')) await once(child.stdout, 'data');
    const port = /"port":(\d+)/.exec(output())?.[1];
    const send = async (signature: string) => {
      const headers = { 'x-pathfinder-signature': signature };
      const response = await fetch(`http://127.0.0.1:${port}/webhooks/pathfinder`, {
        method: 'POST',
        headers,
        body: bodyOf(),
      });
      return [response.status, await response.text()];
    };
    expect(await send(sign(bodyOf(), 'forged'))).toEqual([401, '{"success":false,"error":"invalid_signature"}']);
    expect(await send(sign(bodyOf()))).toEqual([200, '{"success":true,"status":"processed","processed":1,"failed":0}']);
    expect(output()).toContain('welcome, ada');
  });
});

describe('the demo', () => {
  it('runs, and all of its lines are as expected', async () => {
    const { child, output } = run('examples/demo/index.ts');
    const [code] = (await once(child, 'close')) as [number];
    expect(output()).toContain('Every line is as expected.');
    expect(output().match(/✓/g)).toHaveLength(30);
    expect([code, output().includes('✗')]).toEqual([0, false]);
  });

  it('sees a line that is not as expected', () => {
    const line = { what: 'a forgery', expected: '401 invalid_signature', got: '200 processed', ms: 1 };
    expect([isAsExpected(line), printLines([line]), printLines([{ ...line, got: line.expected }])]).toEqual([
      false,
      false,
      true,
    ]);
  });
});
