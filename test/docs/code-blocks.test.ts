import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WEBHOOK_ERROR_CODES, WebhookError } from '@pathfinder/webhooks';
import { PATHFINDER_API_ERROR_CODES, PathfinderApiError } from '@pathfinder/webhooks/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { guidesOf, llmsText, projectDocuments } from '../../scripts/llms.ts';
import { PAGES } from '../support/pages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [...PAGES, 'src/README.md'];

const read = (page: string) => readFileSync(join(root, page), 'utf8');

function blocksOf(page: string): string[] {
  const blocks = [...read(page).matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code);
  // Next's bundlers want no ending; here all are in one folder.
  return blocks.map((code) => code.replace(/'(\.\.\/)+webhooks'/, "'./webhooks.js'"));
}

/** The file that a page's other blocks import: the block that says so. */
function sharedOf(page: string): string {
  return blocksOf(page).find((code) => code.startsWith('// webhooks.ts\n')) ?? '';
}

/** Compiles the blocks as an integrator's own files; the compiler's words, or none. */
function compile(blocks: readonly string[], shared = sharedOf('README.md')): string {
  const folder = join(root, 'node_modules', `.docs-${process.pid}`);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  for (const [i, block] of blocks.entries()) writeFileSync(join(folder, `block-${i}.ts`), `${block}\nexport {};\n`);
  writeFileSync(join(folder, 'webhooks.ts'), shared);
  const config = { extends: '../../tsconfig.json', include: ['*.ts'], exclude: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--noEmit'], {
      encoding: 'utf8',
    });
    return '';
  } catch (error) {
    return String((error as { stdout?: string }).stdout);
  }
}

describe('the documentation', () => {
  it('has code blocks that compile', () => {
    // The blocks of docs/testing.md import one another and the tools they are about: test/packed/recipes.test.ts compiles and runs them.
    const blocks = pages.filter((page) => page !== 'docs/testing.md').flatMap(blocksOf);
    expect(blocks.length).toBeGreaterThan(3);
    expect(compile(blocks)).toBe('');
  }, 60_000);

  it('fails the check when a code block does not compile', () => {
    const wrong = blocksOf('README.md')[0]?.replace('data.user.email', 'data.user.mail') ?? '';
    expect(compile([wrong])).toContain("Property 'mail' does not exist");
  }, 60_000);

  it('has one heading for every error code, with status, cause and cure', () => {
    const sections = read('docs/errors.md').split(/^## /m).slice(1);
    const codes = [...WEBHOOK_ERROR_CODES, ...PATHFINDER_API_ERROR_CODES];
    expect(sections.map((section) => section.split('\n')[0])).toEqual(codes);
    for (const section of sections) expect(section).toMatch(/\*\*Cause\.\*\* \S[\s\S]*\*\*Cure\.\*\* \S/);
    for (const [i, code] of WEBHOOK_ERROR_CODES.entries()) {
      const { status, message } = new WebhookError(code);
      expect(sections[i]).toContain(`\nStatus ${status}.\n`);
      expect(message).toContain(`docs/errors.md#${code}`);
    }
    for (const code of PATHFINDER_API_ERROR_CODES) {
      expect(new PathfinderApiError(code).message).toContain(`docs/errors.md#${code}`);
    }
  });

  it('has one index with a question for each page', () => {
    const guides = guidesOf(read('docs/README.md'));
    // What else is there was made by a tool, and belongs to no repository.
    const all = ['README.md', 'observability', 'terminal.svg', ...new Set(guides.map(({ file }) => file))];
    expect(readdirSync(join(root, 'docs')).sort()).toEqual(all.sort());
    expect(guides.filter(({ question }) => !question.includes('?'))).toEqual([]);
    expect(new Set(guides.map(({ section }) => section)).size).toBe(5);
    expect(JSON.parse(read('typedoc.json')).projectDocuments).toEqual(projectDocuments());
    const llms = llmsText(guides);
    for (const { file } of guides) expect(llms).toContain(`](guides/${file}): `);
  });

  it('index is parsed into sections, questions and pages', () => {
    expect(guidesOf('| **Begin** | |\n| How? | [one](one.md), and [two](two.md) |')).toEqual([
      { section: 'Begin', question: 'How?', title: 'one', file: 'one.md' },
      { section: 'Begin', question: 'How?', title: 'two', file: 'two.md' },
    ]);
  });

  it('has a README of at most 150 lines', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(150);
  });
});
