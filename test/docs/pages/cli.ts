import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { commandNames } from '../../../src/cli/program.ts';
import { run } from '../../../src/cli/run.ts';

const page = fileURLToPath(new URL('../../../docs/cli.md', import.meta.url));
const MARK = '<!-- From here on the page is the help of the commands: `npm run docs:pages` writes it. -->';
const WIDTH = 110;

/** The page of the command line: what somebody wrote, and below it the help of each command. */
export async function cliPage(): Promise<string> {
  const [written = ''] = readFileSync(page, 'utf8').split(MARK);
  const sections = [`## All commands\n\n${fenced(await helpOf([]))}`];
  for (const name of commandNames()) sections.push(`## ${name.join(' ')}\n\n${fenced(await helpOf(name))}`);
  return `${written}${MARK}\n\n${sections.join('\n\n')}\n`;
}

async function helpOf(name: readonly string[]): Promise<string> {
  const parts: string[] = [];
  const output = { write: (part: string) => parts.push(part), columns: WIDTH };
  const silent = { write: () => undefined };
  const { signal } = new AbortController();
  await run([...name, '--help'], {
    env: {},
    cwd: '.',
    stdin: Readable.from([]),
    stdout: output,
    stderr: silent,
    signal,
  });
  // The options that every command has stand at the top of the page.
  return parts
    .join('')
    .replace(/\nGlobal Options:\n(?: .*\n)+/, '')
    .trimEnd();
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\``;
}
