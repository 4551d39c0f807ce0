import type { TestRunner } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';

/** Runs the cases of a contract under Vitest. They use `node:assert`, which Vitest does not count as assertions. */
export const contractRunner: TestRunner = {
  describe,
  it: (name, run) => it(name, async () => expect(await run()).toBeUndefined()),
};
