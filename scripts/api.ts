import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { announcesChange, changesetsIn } from './changesets.ts';
import { differencesOf, publicInterface, type Texts } from './public-interface.ts';

// The public interface as `api/` has it, a file for each subpath. What integrators have compiled against changes only with a
// changeset that says so.
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'api');
const now = publicInterface();
const before = readSnapshot();
const differences = differencesOf(before, now);
const isAnnounced = announcesChange(changesetsIn(join(root, '.changeset')));

if (differences.length === 0) {
  console.log(`The public interface is as in api/: ${now.size} subpaths.`);
} else if (!isAnnounced) {
  refuse(
    'The public interface has changed, and no changeset of a minor or major version says so: run `npx changeset`.',
  );
} else if (process.argv.includes('--update')) {
  writeSnapshot();
  console.log(differences.join('\n'));
} else {
  refuse('The public interface is not what api/ says. If that is meant, run `npm run api -- --update`.');
}

function refuse(reason: string): void {
  console.error([...differences, '', reason].join('\n'));
  process.exitCode = 1;
}

function readSnapshot(): Texts {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.txt')) : [];
  return new Map(files.map((file) => [file.replace(/\.txt$/, ''), readFileSync(join(folder, file), 'utf8')]));
}

function writeSnapshot(): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, text] of now) writeFileSync(join(folder, `${name}.txt`), text);
}
