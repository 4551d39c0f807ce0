import { CliError } from '../../support/failure.ts';
import type { Bench } from './bench.ts';
import { type Case, type Finding, failed, type Need } from './case.ts';

/** A case, and what it came to. */
export interface Result {
  readonly id: string;
  readonly title: string;
  readonly state: Finding['state'];
  readonly detail: string;
  readonly why: string;
  readonly cure: string;
  readonly ms: number;
}

/** Runs cases one after the other. One that rests on another that failed is skipped: it would only tell the same. */
export async function runCases(
  bench: Bench,
  cases: readonly Case[],
  onCase: (running: Case, index: number) => void,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const failures = new Set<string>();
  for (const [i, one] of cases.entries()) {
    onCase(one, i);
    const startedAtMs = performance.now();
    const finding = reasonToSkip(one, bench, failures) ?? (await runCase(one, bench));
    if (finding.state === 'failed') failures.add(one.id);
    const { id, title, why } = one;
    const { state, detail, cure = one.cure } = finding;
    results.push({ id, title, state, detail, why, cure, ms: Math.round(performance.now() - startedAtMs) });
  }
  return results;
}

// A restart or a look at the effects that fails is the failure of its case: what the others have shown is not lost.
async function runCase(one: Case, bench: Bench): Promise<Finding> {
  try {
    return await one.run(bench);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return failed(error.message.replace(/\.$/, ''), error.fix);
  }
}

function reasonToSkip(
  { id, needs = [], rests = [] }: Case,
  { options }: Bench,
  failures: ReadonlySet<string>,
): Finding | undefined {
  const missing = needs.filter((need: Need) => options[need] === undefined);
  if (missing.length > 0) return skipped(`it needs ${missing.map((need) => `--${need}`).join(' and ')}`);
  const reasons = ['valid', ...rests].filter((other) => other !== id && failures.has(other));
  return reasons.length > 0 ? skipped(`it rests on ${reasons.join(' and ')}, which failed`) : undefined;
}

function skipped(detail: string): Finding {
  return { state: 'skipped', detail };
}
