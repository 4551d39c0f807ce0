import assert from 'node:assert/strict';

/** What a test runner offers under these names: vitest, jest, `node:test`, `bun:test` and mocha do. */
export interface TestRunner {
  /** Defines a group of tests. */
  describe(name: string, define: () => void): unknown;
  /** Defines a test. */
  it(name: string, run: () => Promise<void>): unknown;
}

/** One promise of a contract, whatever it is about. */
interface ContractCase {
  readonly name: string;
  readonly kind?: string | undefined;
}

/** What a contract is run with. */
interface Contract<Case extends ContractCase> {
  readonly runner: TestRunner;
  /** What the subject says of itself. Cases of other kinds are left out. */
  readonly kinds: readonly string[];
  /** Compares what the subject says of itself with `kinds`. */
  readonly describesItself: Case;
  readonly cases: readonly Case[];
  run(one: Case): Promise<void>;
}

/** Defines the tests of a contract in the runner's own terms. @internal */
export function describeContract<Case extends ContractCase>(
  title: string,
  { runner, kinds, describesItself, cases, run }: Contract<Case>,
): void {
  runner.describe(title, () => {
    for (const one of [describesItself, ...cases]) {
      if (one.kind === undefined || kinds.includes(one.kind)) runner.it(one.name, () => run(one));
    }
  });
}

/** A namespace that no other case has. @internal */
export function newNamespace(): string {
  return `contract_${Math.random().toString(36).slice(2)}_${Date.now().toString(36)}`;
}

/** How a case waits for an answer. */
interface Patience {
  /** At most so long. */
  readonly patienceMs: number;
  /** So long between two questions. */
  readonly pollMs: number;
  /** Lets time pass, real or not. */
  pass(ms: number): Promise<void>;
}

/** Asks until there is an answer, while time passes. @internal */
export async function untilAnswered<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  { patienceMs, pollMs, pass }: Patience,
): Promise<T> {
  for (let passedMs = 0; passedMs < patienceMs; passedMs += pollMs) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pass(pollMs);
  }
  return assert.fail(`Waited ${patienceMs} ms for ${what}.`);
}
