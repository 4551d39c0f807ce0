import { describe, expect, it } from 'vitest';
import { problemsOf, problemsOfSize, unreachedOf } from '../../scripts/package-files.ts';

const endings = ['js', 'cjs', 'd.ts', 'd.cts'];
const modules = ['index', 'hmac/node', 'hmac/portable', 'hmac/workerd'].flatMap((name) =>
  endings.map((end) => `dist/${name}.${end}`),
);
const whole = [
  ...['package.json', 'README.md', 'LICENSE', 'dist/hmac/portable.LICENSE.txt'],
  ...[
    'SKILL.md',
    ...['durability', 'frameworks', 'testing', 'troubleshooting'].map((name) => `references/${name}.md`),
  ].map((name) => `skills/pathfinder-webhooks/${name}`),
  ...['dist/cli.js', 'dist/cli.LICENSE.txt'],
  ...modules,
  ...['dist/chunk-A5423LSN.js', 'dist/chunk-A5423LSN.cjs', 'dist/read-node-body-BSSLaiEV.d.cts'],
];

describe('the file list of the tarball', () => {
  it('is complete with modules in both formats, types, shared chunks and documents', () => {
    expect(problemsOf(whole, ['index'])).toEqual([]);
  });

  it('reports missing files', () => {
    const without = whole.filter((file) => file !== 'dist/index.d.cts' && file !== 'LICENSE');
    expect(problemsOf(without, ['index'])).toEqual(['LICENSE is missing.', 'dist/index.d.cts is missing.']);
  });

  it.each([
    '.env',
    'src/index.ts',
    'dist/old.js',
    'dist/page.html',
    'test/secrets.json',
    'dist/hmac/other.js',
    'dist/index.js.map',
  ])('rejects %s', (file) => {
    expect(problemsOf([...whole, file], ['index'])).toEqual([`${file} does not belong into a release.`]);
  });
});

describe('files that subpaths reach', () => {
  const texts: Readonly<Record<string, string>> = {
    'dist/index.js': "export { a } from './chunk-AAAAAAAA.js';",
    'dist/chunk-AAAAAAAA.js': "const { b } = await import('./chunk-BBBBBBBB.js');",
    'dist/chunk-BBBBBBBB.js': '',
    'dist/index.d.cts': "export { A } from './index-CCCCCCCC.cjs';",
    'dist/index-CCCCCCCC.d.cts': '',
    'dist/cli.js': 'import{f}from"./send-FFFFFFFF.js";',
    'dist/send-FFFFFFFF.js': '',
    'dist/hmac/node.cjs': "const c = require('../chunk-DDDDDDDD.cjs');",
    'dist/chunk-DDDDDDDD.cjs': '',
  };
  const textOf = (file: string) => texts[file] ?? '';

  it('include every file that a chain of imports leads to', () => {
    expect(unreachedOf([...Object.keys(texts), 'README.md'], textOf)).toEqual([]);
  });

  it('exclude a file that nothing imports', () => {
    expect(unreachedOf([...Object.keys(texts), 'dist/chunk-EEEEEEEE.js'], textOf)).toEqual([
      'dist/chunk-EEEEEEEE.js is reached by no subpath.',
    ]);
  });

  it('the tarball has at most 460 kB', () => {
    expect(problemsOfSize(460_000)).toEqual([]);
    expect(problemsOfSize(460_001)).toEqual(['It has 460001 bytes packed, at most 460000.']);
  });
});
