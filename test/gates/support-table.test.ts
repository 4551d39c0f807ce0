import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(root + file, 'utf8');
const manifest = JSON.parse(read('package.json'));

interface Claim {
  readonly what: string;
  readonly range: string;
  readonly versions: readonly string[];
}

const claims = [...read('docs/support.md').matchAll(/^\| (?!what)(.+) \|$/gm)].map(([, line = '']): Claim => {
  const [what = '', range = '', versions = ''] = line.split(/(?<!\\) \| /);
  return {
    what: what.split(',')[0] ?? '',
    range: range.replaceAll('`', '').replaceAll('\\|', '|'),
    versions: versions.split(', '),
  };
});
const rangeOf = (name: string) => claims.find(({ what }) => what === name)?.range;

/** The versions that docs/support.md claims and no run of docs/proof.md lists. */
function unproven(proof: string): readonly string[] {
  const listed = [...proof.matchAll(/^\| (?!part).+ \|$/gm)].flatMap(([row]) => row.split(' | ')[2]?.split(', ') ?? []);
  const isListed = (claim: string) => listed.some((name) => name === claim || name.startsWith(`${claim}.`));
  return claims
    .flatMap(({ what, versions }) => versions.map((version) => `${what} ${version}`))
    .filter((claim) => !isListed(claim));
}

it('the support table lists every peer dependency with the range of the manifest', () => {
  const peers = Object.fromEntries(Object.keys(manifest.peerDependencies).map((name) => [name, rangeOf(name)]));
  expect(peers).toEqual(manifest.peerDependencies);
  expect([rangeOf('Node.js'), rangeOf('zod')]).toEqual([manifest.engines.node, manifest.dependencies.zod]);
});

it('the support table claims only versions that a run in docs/proof.md lists', () => {
  expect(unproven(read('docs/proof.md'))).toEqual([]);
  expect(claims.length).toBe(Object.keys(manifest.peerDependencies).length + 3);
});

it('the support table fails the check when a version has no run', () => {
  expect(unproven(read('docs/proof.md').replaceAll(/express 4\.17\.\d+/g, 'express 4.18.0'))).toEqual(['express 4.17']);
  expect(unproven('')).toHaveLength(claims.flatMap(({ versions }) => versions).length);
});
