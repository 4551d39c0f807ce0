import { expect, it } from 'vitest';
import { drawTerminal, terminalText } from './pages/terminal.ts';

it('the terminal picture of the README shows the real output of the commands', async () => {
  const lines = await terminalText();
  await expect(drawTerminal(lines)).toMatchFileSnapshot('../../docs/terminal.svg');
  expect(lines).toEqual(
    expect.arrayContaining(['✓ verified, 1 handler ran', '✓ forgery           forgeries are refused']),
  );
  expect(lines.at(-1)).toBe('No problem found.');
});
