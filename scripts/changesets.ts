import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A change that waits for its release. */
export interface Changeset {
  readonly file: string;
  /** `undefined` for what is no changeset; `none` says that nothing is to be released. */
  readonly bump: 'none' | 'patch' | 'minor' | 'major' | undefined;
}

/** The changesets of a folder. */
export function changesetsIn(folder: string): readonly Changeset[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md');
  return files.map((file) => ({ file, bump: bumpOf(readFileSync(join(folder, file), 'utf8')) }));
}

/** Whether one of them announces more than a repair, so that the public interface may change. */
export function announcesChange(changesets: readonly Changeset[]): boolean {
  return changesets.some(({ bump }) => bump === 'minor' || bump === 'major');
}

function bumpOf(text: string): Changeset['bump'] {
  // An empty front matter is how `changeset --empty` says that nothing is to be released.
  const found = /^---\r?\n(?:(["'])@pathfinder\/webhooks\1: (patch|minor|major)\r?\n)?---\r?\n/.exec(text);
  return found ? ((found[2] as Changeset['bump']) ?? 'none') : undefined;
}
