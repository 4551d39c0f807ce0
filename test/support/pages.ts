import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SKILL = 'skills/pathfinder-webhooks';

/** The pages that integrators read, and their agents: what they show has to compile and to run. */
export const PAGES: readonly string[] = [
  'README.md',
  ...pagesIn('docs'),
  `${SKILL}/SKILL.md`,
  ...pagesIn(`${SKILL}/references`),
];

function pagesIn(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => (name.endsWith('.md') ? [`${folder}/${name}`] : []));
}
