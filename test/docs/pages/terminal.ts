import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toNodeListener } from '@pathfinder/webhooks/node';
import { run } from '../../../src/cli/run.ts';

// The picture of the README: what the command line really says to a receiver, drawn as a terminal. `npm run docs:pages`.
const SECRET = 'whsec_only_for_this_machine';
const URL_SHOWN = 'http://localhost:3000/webhooks/pathfinder';
const ID = 'evt_test_1815';
const LINES = [`send user.created --id ${ID}`, `send user.created --id ${ID}_2 --tamper body`, 'doctor'];
const COLUMNS = 112;
const LINE_HEIGHT = 20;
const COLOURS: readonly (readonly [RegExp, string])[] = [
  [/^\$/, '#e6edf3'],
  [/^✓/, '#3fb950'],
  [/^✗/, '#f85149'],
  [/^[→←]/, '#79c0ff'],
];
const OTHER_COLOUR = '#8b949e';

/** What a person sees who types these commands: with the port of the README, and no time that differs from run to run. */
export async function terminalText(): Promise<readonly string[]> {
  const webhooks = new WebhookHandler(SECRET);
  webhooks.on('user.created', () => undefined);
  const server = createServer(toNodeListener(webhooks));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/pathfinder`;
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-picture-'));
  try {
    const shown: string[] = [];
    for (const line of LINES) {
      const said = await outputOf(line, url, folder);
      shown.push(
        `$ npx @pathfinder/webhooks ${line.replace(/ --id \S+/, '')}`,
        ...said.replaceAll(url, URL_SHOWN).trimEnd().split('\n'),
        '',
      );
    }
    return shown.slice(0, -1).map(timeless);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

// Times and versions differ from run to run; all else has to be what the commands say.
function timeless(line: string): string {
  return line
    .replaceAll(/\b\d+ ms\b/g, '5 ms')
    .replace(/^(✓ node +)\S+/, '$120.19.0')
    .replace(/(@pathfinder\/webhooks) \d\S+/, '$1 1.0.0');
}

async function outputOf(line: string, url: string, cwd: string): Promise<string> {
  let text = '';
  const output = {
    columns: COLUMNS,
    write: (part: string) => {
      text += part;
    },
  };
  const env = { PATHFINDER_WEBHOOK_SECRET: SECRET, PATHFINDER_WEBHOOK_URL: url };
  const { signal } = new AbortController();
  await run(line.split(' '), { env, cwd, stdin: Readable.from([]), stdout: output, stderr: output, signal });
  return text;
}

/** The same as an image. */
export function drawTerminal(lines: readonly string[]): string {
  const height = lines.length * LINE_HEIGHT + 56;
  const texts = lines.map((line, index) => {
    const [, colour = OTHER_COLOUR] = COLOURS.find(([start]) => start.test(line)) ?? [];
    return `  <text x="20" y="${index * LINE_HEIGHT + 58}" fill="${colour}" xml:space="preserve">${escapeText(line)}</text>`;
  });
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (colour, index) => `  <circle cx="${24 + index * 20}" cy="20" r="6" fill="${colour}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 ${height}" role="img" aria-label="A terminal: a signed event is verified, a forged one is refused, doctor finds no problem" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">`,
    `  <rect width="960" height="${height}" rx="10" fill="#0d1117"/>`,
    ...dots,
    ...texts,
    '</svg>',
    '',
  ].join('\n');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
