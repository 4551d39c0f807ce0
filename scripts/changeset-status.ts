import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { announcesChange, changesetsIn } from './changesets.ts';

// `changeset status` compares with a base branch, which a shallow clone or one without a remote may lack.
const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
const changesets = changesetsIn(`${root}.changeset`);
const pending = changesets.map(({ file }) => file);
const malformed = changesets.filter(({ bump }) => bump === undefined).map(({ file }) => file);
const lastTag = git('describe', '--tags', '--abbrev=0');

if (malformed.length > 0) {
  refuse(`Not a changeset: ${malformed.join(', ')}. It names this package and patch, minor or major, then says why.`);
} else if (lastTag && git('diff', '--quiet', lastTag, '--', 'api') === undefined && !announcesChange(changesets)) {
  refuse(`The public interface changed since ${lastTag}, and no changeset of a minor or major version says so.`);
} else if (pending.length > 0) {
  console.log(`Pending: ${pending.join(', ')}`);
} else if (lastTag === undefined) {
  console.log('No changeset, and no tag to compare with.');
} else if (lastTag !== `v${version}`) {
  console.log(`No changeset: version ${version} is prepared and not yet tagged.`);
} else if (git('diff', '--quiet', lastTag, '--', 'src') === undefined) {
  refuse(`src changed since ${lastTag} without a changeset: run \`npx changeset\`.`);
} else {
  console.log(`src is as in ${lastTag}.`);
}

function refuse(reason: string): void {
  console.error(reason);
  process.exitCode = 1;
}

/** What git printed, or `undefined` where it failed. */
function git(...commands: string[]): string | undefined {
  try {
    return execFileSync('git', commands, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
