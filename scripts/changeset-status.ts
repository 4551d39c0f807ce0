import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// `changeset status` by itself compares with a base branch, which a clone of one commit or without a remote lacks.
const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
const pending = readdirSync(`${root}.changeset`).filter((file) => file.endsWith('.md') && file !== 'README.md');
const lastTag = git('describe', '--tags', '--abbrev=0');

if (pending.length > 0) {
  execFileSync(`${root}node_modules/.bin/changeset`, ['status', '--since=HEAD'], { cwd: root, stdio: 'inherit' });
} else if (lastTag === undefined) {
  console.log('No changeset, and no tag to compare with: nothing to hold against it.');
} else if (lastTag !== `v${version}`) {
  console.log(`No changeset: version ${version} is prepared and not yet tagged.`);
} else if (git('diff', '--quiet', lastTag, '--', 'src') === undefined) {
  console.error(`src changed since ${lastTag} without a changeset: run \`npx changeset\`.`);
  process.exitCode = 1;
} else {
  console.log(`src is as in ${lastTag}.`);
}

/** What git printed, or `undefined` where it failed. */
function git(...commands: string[]): string | undefined {
  try {
    return execFileSync('git', commands, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
