import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cliPage } from '../../scripts/cli-docs.ts';

it('docs/cli.md shows the help of every command as it is: else run `npm run docs:cli`', async () => {
  const page = await cliPage();
  expect(readFileSync('docs/cli.md', 'utf8')).toBe(page);
  expect(page).toContain('## dead-letters replay');
});
