// Every command line of the package that README.md and docs/ show: its options exist, and it runs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { sampleEvent } from '@pathfinder/webhooks/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandNames } from '../../src/cli/program.ts';
import { listenAt } from '../adapters/listen.ts';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';
import { recordingLogger, sign } from '../support/deliver.ts';
import { PAGES } from '../support/pages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PATH = '/webhooks/pathfinder';

interface Shown {
  readonly page: string;
  /** What follows the name of the package. */
  readonly line: string;
  /** Whether it stands in a block of its own, to be copied. */
  readonly isBlock: boolean;
}

function linesOf(page: string): Shown[] {
  const [text = ''] = readFileSync(join(root, page), 'utf8').split('## All commands');
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, code = '']) => code.split('\n'));
  const inBlocks = blocks.flatMap((line) => /^npx @pathfinder\/webhooks (.*)$/.exec(line)?.[1] ?? []);
  const spans = text.replace(/^```.*?^```/gms, '').matchAll(/`npx @pathfinder\/webhooks ([^`]*)`/g);
  return [
    ...inBlocks.map((line) => ({ page, line, isBlock: true })),
    ...Array.from(spans, ([, line = '']) => ({ page, line, isBlock: false })),
  ];
}

const lines = PAGES.flatMap(linesOf).filter(({ line }) => !line.startsWith('<command>'));
const longestFirst = [...commandNames()].sort((a, b) => b.length - a.length);

/** What is wrong with a command line, in sentences. */
async function problemsOf(line: string): Promise<string[]> {
  const words = line.split(' ');
  const name = longestFirst.find((one) => one.every((word, i) => words[i] === word));
  if (!name) return [`${line}: there is no such command`];
  const { stdout } = await commandLine([...name, '--help']);
  const flags = words.filter((word) => word.startsWith('--'));
  return flags.filter((flag) => !stdout.includes(`${flag} `)).map((flag) => `${line}: there is no ${flag}`);
}

describe('the command lines of the documentation', () => {
  it('are found on the pages', () => {
    expect(lines.length).toBeGreaterThan(15);
    expect(lines.filter(({ isBlock }) => isBlock).length).toBeGreaterThan(7);
  });

  it.each(lines)('use existing commands and options: $page, $line', async ({ line }) => {
    expect(await problemsOf(line)).toEqual([]);
  });

  it('fail the check when a command or option does not exist', async () => {
    expect(await problemsOf('send user.created --count 100')).toEqual([
      'send user.created --count 100: there is no --count',
    ]);
    expect(await problemsOf('sned user.created')).toEqual(['sned user.created: there is no such command']);
  });

  it.each(lines.filter(({ isBlock }) => isBlock))(
    'run unchanged: $page, $line',
    { timeout: 60_000 },
    async ({ line }) => {
      const webhooks = new WebhookHandler({ secret: SECRET, logger: recordingLogger() });
      webhooks.on('*', () => undefined);
      const { url, close } = await listenAt(PATH, toNodeListener(webhooks));
      onTestFinished(close);
      const cwd = emptyFolder();
      const body = JSON.stringify(sampleEvent('user.created'));
      writeFileSync(join(cwd, 'body.json'), body);
      const env = { PATHFINDER_WEBHOOK_SECRET: SECRET, PATHFINDER_WEBHOOK_URL: url };
      const here = line.replace(`http://localhost:3000${PATH}`, url).replace('"sha256=…"', sign(body, SECRET));
      const { code, stderr } = await commandLine(here, { env, cwd });
      // A forgery is refused, and the command says so with 1.
      expect([code, stderr.includes('error:')]).toEqual([/--tamper|--no-signature/.test(line) ? 1 : 0, false]);
    },
  );
});
