import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// https://llmstxt.org: what a language model reads instead of the site, a line for each page, with the pages as Markdown beside it.
const root = fileURLToPath(new URL('..', import.meta.url));
const INTRODUCTION = `# @pathfinder/webhooks

> Receives Pathfinder's webhooks in TypeScript: verified, typed, deduplicated, durable. Node.js 20.19 and later, Bun, Deno, Workers; Express, Fastify,
> Next.js, Hono, fetch and node:http; SQLite, Redis with BullMQ, Postgres with pg-boss.

Mount the adapter before any body parser: the signature covers the raw bytes. Handlers are registered with \`webhooks.on(type, handler)\`; without a queue they run before
the reply, with one behind it. Never verify with \`JSON.stringify(req.body)\`, never answer before a durable write. A skill for coding agents is in the package:
\`node_modules/@pathfinder/webhooks/skills/pathfinder-webhooks/SKILL.md\`.
`;

/** A guide in the index: the question that it answers, and its file in `docs/`. */
export interface Guide {
  readonly section: string;
  readonly question: string;
  readonly file: string;
  readonly title: string;
}

/** The guides that the index names, in its order. */
export function guidesOf(index: string): readonly Guide[] {
  let section = '';
  return index.split('\n').flatMap((line) => {
    const [, question = '', pages = ''] = /^\| (.+?) \| (.*)\|$/.exec(line) ?? [];
    const [, heading] = /^\*\*(.+)\*\*$/.exec(question) ?? [];
    if (heading) section = heading;
    const links = [...pages.matchAll(/\[([^\]]+)\]\(([\w-]+\.md)\)/g)];
    return links.map(([, title = '', file = '']) => ({ section, question, file, title }));
  });
}

/** `typedoc.json` → `projectDocuments`: the guides of the site, in the order of the index. */
export function projectDocuments(): string[] {
  const files = guidesOf(readFileSync(join(root, 'docs/README.md'), 'utf8')).map(({ file }) => `docs/${file}`);
  return [...new Set(files)];
}

/** The text of `llms.txt`. */
export function llmsText(guides: readonly Guide[]): string {
  const sections = [...new Set(guides.map(({ section }) => section))];
  const parts = sections.map((section) => {
    const lines = guides.filter((guide) => guide.section === section);
    return `## ${section}\n\n${lines.map(({ title, file, question }) => `- [${title}](guides/${file}): ${question}`).join('\n')}\n`;
  });
  return [INTRODUCTION, ...parts].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const guides = guidesOf(readFileSync(join(root, 'docs/README.md'), 'utf8'));
  mkdirSync(join(root, 'site/guides'), { recursive: true });
  for (const { file } of guides) copyFileSync(join(root, 'docs', file), join(root, 'site/guides', file));
  writeFileSync(join(root, 'site/llms.txt'), llmsText(guides));
}
