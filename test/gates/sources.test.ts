import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as core from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = execFileSync('git', ['ls-files', 'src'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file.endsWith('.ts') && !file.startsWith('src/cli/'));

function linesWith(pattern: RegExp): string[] {
  return files.flatMap((file) => {
    const lines = readFileSync(`${root}${file}`, 'utf8').split('\n');
    return lines.filter((line) => pattern.test(line)).map((line) => `${file}: ${line.trim()}`);
  });
}

describe('the sources of the package', () => {
  it('include the files that the checks are about', () => {
    expect(files).toContain('src/signature.ts');
  });

  it('never compare a digest with an operator', () => {
    expect(linesWith(/(digest|signature|mac)\w*\s*[=!]==?\s*\w*(digest|signature|mac|header)/i)).toEqual([]);
  });

  it('never read the environment, which could turn verification off', () => {
    expect(linesWith(/process\.env|NODE_ENV|import\.meta\.env/)).toEqual([]);
  });

  it('never evaluate text as code', () => {
    expect(linesWith(/(?<!\.)\beval\((?!script: )|new Function\(|import\([^'")]/)).toEqual([]);
  });

  it('have no regular expression with nested repetition', () => {
    expect(linesWith(/\/[^/\n]*(\+|\*)\)(\+|\*)/)).toEqual([]);
  });
});

describe('the package manifest', () => {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<string, Record<string, string>>;

  it('exports no signer from the main entry', () => {
    expect(Object.keys(core).filter((name) => /^sign|Signer/.test(name))).toEqual([]);
  });

  it('depends on zod alone, has no install scripts and ships only dist and the skill', () => {
    expect(Object.keys(manifest.dependencies ?? {})).toEqual(['zod']);
    expect(Object.keys(manifest.scripts ?? {}).filter((name) => /install|^prepare$|^postpack$/.test(name))).toEqual([]);
    expect(manifest.files).toEqual(['dist', 'skills']);
    expect(readFileSync(`${root}package-lock.json`, 'utf8')).not.toContain('"resolved": "http');
  });
});
