import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Test files that take longer than 10 s, the slowest first. */
const SLOW = [
  'packed/next',
  'packed/consumers',
  'packed/recipes',
  'cli/check',
  'crash/pg-boss',
  'crash/bullmq',
  'core/misbehaviour',
  'crash/sqlite',
  'examples/demo',
  'crash/command',
  'engines/outages',
  'engines/queue-contract',
  'examples/servers',
  'docs/code-blocks',
];

/** Starts the slow files first, so that none of them runs alone at the end. A fresh clone has no durations to sort by. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = SLOW.findIndex((name) => moduleId.endsWith(`test/${name}.test.ts`));
      return place < 0 ? SLOW.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
