import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Job {
  readonly needs?: readonly string[];
  readonly uses?: string;
  readonly if?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: { readonly part: readonly string[] } };
  readonly steps?: readonly {
    readonly uses?: string;
    readonly run?: string;
    readonly with?: object;
    readonly env?: object;
  }[];
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly on: Readonly<Record<string, unknown>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = fileURLToPath(new URL('../../.github/workflows/', import.meta.url));
const workflows = readdirSync(folder).map((name) => {
  return [name, parse(readFileSync(folder + name, 'utf8')) as Workflow] as const;
});
const workflow = (name: string) => workflows.find(([file]) => file === name)?.[1] as Workflow;
const commandsOf = ({ jobs }: Workflow) =>
  Object.values(jobs).flatMap(({ steps = [] }) => steps.flatMap(({ run }) => run ?? []));

describe('the workflows', () => {
  it.each(workflows)('%s pins every action to a commit', (_, { jobs }) => {
    const used = Object.values(jobs).flatMap(({ steps = [] }) => steps.flatMap(({ uses }) => uses ?? []));
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((action) => !/@[0-9a-f]{40}$/.test(action))).toEqual([]);
  });

  it.each(workflows)('%s starts without write permissions', (_, { permissions }) => {
    expect([{}, { contents: 'read' }]).toContainEqual(permissions);
  });

  it('ci.yml runs the gates for every change and commitlint for pull requests', () => {
    expect(Object.keys(workflow('ci.yml').on)).toEqual(['push', 'pull_request', 'workflow_call']);
    expect(commandsOf(workflow('ci.yml'))).toEqual(
      expect.arrayContaining(['.ci/run', 'npm run commits -- --from "$BASE" --to "$HEAD"']),
    );
  });

  it('proof.yml runs every part of the proof at night', () => {
    const { on, jobs } = workflow('proof.yml');
    const script = readFileSync(new URL('../../scripts/proof.ts', import.meta.url), 'utf8');
    const parts = [...script.matchAll(/part: '(\w+)'/g)].map(([, part]) => part);
    expect(on.schedule).toHaveLength(1);
    expect(new Set(jobs.proof?.strategy?.matrix.part)).toEqual(new Set(parts));
    expect(commandsOf(workflow('proof.yml')).filter((line) => line.startsWith('npm run proof -- $'))).toHaveLength(1);
  });

  it('release.yml publishes with provenance, and only after the gates and the proof', () => {
    const { jobs } = workflow('release.yml');
    const { gates, proof, publish, version } = jobs;
    expect([gates?.uses, proof?.uses]).toEqual(['./.github/workflows/ci.yml', './.github/workflows/proof.yml']);
    expect([publish?.needs, version?.needs]).toEqual([
      ['gates', 'plan', 'proof'],
      ['gates', 'plan'],
    ]);
    expect(publish?.permissions).toEqual({ contents: 'write', 'id-token': 'write' });
    expect(publish?.steps?.at(-1)).toMatchObject({
      with: { publish: 'npm run release -- --publish' },
      env: { NPM_CONFIG_PROVENANCE: 'true' },
    });
    expect(readFileSync(`${folder}release.yml`, 'utf8').match(/publish: npm run|NPM_TOKEN|NODE_AUTH_TOKEN/g)).toEqual([
      'publish: npm run',
    ]);
  });
});
