import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { drawTerminal, terminalText } from '../../scripts/terminal-picture.ts';

const picture = readFileSync(new URL('../../docs/terminal.svg', import.meta.url), 'utf8');

it('the terminal picture of the README shows the real output of the commands', async () => {
  const lines = await terminalText();
  expect(picture).toBe(drawTerminal(lines));
  expect(lines).toEqual(
    expect.arrayContaining(['✓ verified, 1 handler ran', '✓ forgery           forgeries are refused']),
  );
  expect(lines.at(-1)).toBe('No problem found.');
});
