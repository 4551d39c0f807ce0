import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CASES } from '../../src/cli/actions/check/cases.ts';
import { cliPage } from './pages/cli.ts';

const page = readFileSync('docs/cli.md', 'utf8');

describe('docs/cli.md', () => {
  it('shows the current help of every command', async () => {
    await expect(await cliPage()).toMatchFileSnapshot('../../docs/cli.md');
    expect(page).toContain('## dead-letters replay');
  });

  it('documents every failure code', () => {
    const files = execFileSync('git', ['ls-files', 'src/cli'], { encoding: 'utf8' }).trim().split('\n');
    const codes = files.flatMap((file) => {
      const code = readFileSync(file, 'utf8');
      const thrown = [
        ...code.matchAll(/new CliError\(\s*'\w+',\s*'(\w+)'/g),
        ...code.matchAll(/^ {2}\w+: \[\s*'([a-z]+_[a-z_]+)'/gm),
      ];
      return thrown.map(([, name = '']) => name);
    });
    expect(codes.length).toBeGreaterThan(30);
    expect([...new Set(codes)].filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });

  it('counts the cases of check correctly, and so does the README', () => {
    for (const text of [page, readFileSync('README.md', 'utf8')]) expect(text).toContain(` ${CASES.length} questions`);
  });
});
