// Every block of docs/logging.md is run as it stands, with the real logger, and has to print what a failing handler says.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebhookHandler } from '@pathfinder/webhooks';
import log4js from 'log4js';
import { pino } from 'pino';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import winston from 'winston';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'reports', `logging-${process.pid}`);
const sections = readFileSync(join(root, 'docs/logging.md'), 'utf8').split(/^## /m).slice(1);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the logger of a block prints when a handler fails. */
function printed(name: string, code: string): string {
  const file = join(folder, `${name.replace(/\W+/g, '-')}.ts`);
  mkdirSync(folder, { recursive: true });
  const deliver = `
webhooks.on('*', () => { throw new RangeError('the reason'); }, { name: 'greet', retry: { attempts: 1 } });
await webhooks.handle(Buffer.from('${bodyOf().toString('base64')}', 'base64'), '${sign(bodyOf())}');
`;
  writeFileSync(file, `${code}\n${deliver}`);
  const env = { ...process.env, PATHFINDER_WEBHOOK_SECRET: SECRET, NO_COLOR: '1' };
  return execFileSync('sh', ['-c', `"$0" --import tsx "$1" 2>&1`, process.execPath, file], {
    cwd: root,
    env,
    encoding: 'utf8',
  });
}

describe.each(sections.map((section) => [section.split('\n')[0] ?? '', section] as const))(
  'the logging recipe for %s',
  (name, section) => {
    const [, code = ''] = /^```ts\n(.*?)^```/ms.exec(section) ?? [];

    it('prints the message, the event and the error with its stack, and no secret', () => {
      const output = printed(name, code);
      for (const part of ['A webhook handler failed', 'evt_1', 'user.created', '*#greet', 'the reason', 'RangeError']) {
        expect(output).toContain(part);
      }
      expect(output).toMatch(/at .*\.ts:\d+/);
      expect(output).not.toContain(SECRET);
    });
  },
);

it('a logger that takes the message first causes a warning when it is passed unchanged', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  onTestFinished(() => warn.mockRestore());
  const fine = [pino({ enabled: false }), console];
  const loggers = [...fine, winston.createLogger({ transports: [], silent: true }), log4js.getLogger()];
  for (const logger of loggers) new WebhookHandler({ secret: SECRET, logger: logger as never });
  expect(warn.mock.calls.map(([line]) => String(line).split(', see')[0])).toEqual([
    "[pathfinder] This logger looks like winston's, which takes the message first: wrap it",
    "[pathfinder] This logger looks like log4js's, which takes the message first: wrap it",
  ]);
});
