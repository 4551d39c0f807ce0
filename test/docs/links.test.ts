import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const REPOSITORY = 'https://github.com/pathfinder/webhooks-node/blob/main/';
const isThere = (path: string) => path !== '' && existsSync(join(root, path));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
});
const files = tracked.split('\n').filter(isThere);
const pages = files.filter((file) => /^(?:[^/]+|(?:docs|src|\.github)\/[^/]+|skills\/.+)\.md$/.test(file));
const sources = files.filter((file) => /^(?:src|examples|bench|scripts)\/.*\.(?:ts|tsx)$/.test(file));

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): string[] {
  const headings = [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** What is wrong with a link to a path of the repository, in a sentence. */
function problemOf(target: string): string[] {
  const [path = '', anchor] = target.split('#');
  if (!isThere(path)) return [`${target}: there is no such file`];
  if (anchor === undefined || anchorsOf(path).includes(anchor)) return [];
  return [`${target}: there is no such heading`];
}

/** The dead links of a Markdown page: those in its text, and whole addresses into the repository. */
function deadLinksOfPage(page: string, text = read(page)): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const inside = links.filter((link) => !/^[a-z]+:/.test(link));
  const targets = inside.map((link) => {
    return link.startsWith('#') ? page + link : posix.join(posix.dirname(page), link);
  });
  return [...targets, ...addressesIn(text)].flatMap(problemOf);
}

/** The dead links of a source: whole addresses into the repository, and pages that a comment or a message names. */
function deadLinksOfSource(text: string): string[] {
  const named = [...text.matchAll(/(?<![\w/.])(?:docs|src)\/[\w./-]+\.(?:md|ts)(?:#[\w-]+)?/g)].map(([link]) => link);
  return [...named, ...addressesIn(text)].flatMap(problemOf);
}

function addressesIn(text: string): string[] {
  const addresses = [...text.matchAll(/https:\/\/github\.com\/pathfinder\/webhooks-node\/blob\/main\/[\w./#-]+/g)];
  return addresses.map(([address]) => address.slice(REPOSITORY.length).replace(/[.#]+$/, ''));
}

/** Paths in code spans that lead nowhere, seen from the page's folder or from the root. */
function deadPathsOf(page: string, text = read(page)): string[] {
  const spans = [...text.matchAll(/`([\w./-]+(?:\.(?:ts|md|json|cjs)|\/))`/g)].map(([, span = '']) => span);
  return spans.filter((span) => !isThere(posix.join(posix.dirname(page), span)) && !isThere(span));
}

describe('links of the repository', () => {
  it.each(pages)('of %s lead to existing files and headings', (page) => {
    expect(deadLinksOfPage(page)).toEqual([]);
  });

  it('are checked in the intended pages and sources', () => {
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/errors.md', 'src/README.md']));
    expect(sources).toEqual(expect.arrayContaining(['src/errors.ts', 'src/client/errors.ts', 'examples/demo/demo.ts']));
  });

  it('of the sources lead to existing files and headings', () => {
    const dead = sources.flatMap((file) => deadLinksOfSource(read(file)).map((link) => `${file} → ${link}`));
    expect(dead).toEqual([]);
  });

  it('of src/README.md name existing files', () => {
    expect(deadPathsOf('src/README.md')).toEqual([]);
  });

  it('fail the check when they lead nowhere', () => {
    expect(
      deadLinksOfPage('docs/errors.md', '[a](no-such.md) [b](errors.md#too_old) [c](#no-such) [d](../README.md)'),
    ).toEqual(['docs/no-such.md: there is no such file', 'docs/errors.md#no-such: there is no such heading']);
    expect(
      deadLinksOfSource(`// See docs/none.md, docs/errors.md#none and ${REPOSITORY}docs/errors.md#api_none.`),
    ).toEqual([
      'docs/none.md: there is no such file',
      'docs/errors.md#none: there is no such heading',
      'docs/errors.md#api_none: there is no such heading',
    ]);
    expect(deadPathsOf('src/README.md', '`receive.ts` `no-such.ts` `run/` `gone/`')).toEqual(['no-such.ts', 'gone/']);
  });
});
