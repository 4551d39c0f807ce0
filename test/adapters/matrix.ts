import { describe, it } from 'vitest';
import { byteCases } from './byte-cases.ts';
import { type AdapterCase, type AdapterTraits, type Mount, runCase } from './harness.ts';
import { outcomeCases } from './outcome-cases.ts';
import { wireCases } from './wire-cases.ts';

/**
 * What every adapter does alike, over real sockets and compared whole: the reply table, hostile requests, exact bytes.
 *
 * @param cases - Some of `adapterCases`, for a second way to mount the same adapter. Default all.
 */
export function describeAdapter(
  name: string,
  mount: Mount,
  traits: AdapterTraits = {},
  cases: readonly AdapterCase[] = adapterCases(traits),
): void {
  describe(name, () => {
    for (const one of cases.filter(({ waits }) => !waits)) it(one.name, () => runCase(one, mount));
    // Side by side, which they are only as neighbours.
    const waiting = traits.alone ? it : it.concurrent;
    for (const one of cases.filter(({ waits }) => waits)) waiting(one.name, () => runCase(one, mount));
  });
}

/** The cases one by one. */
export function adapterCases(traits: AdapterTraits): readonly AdapterCase[] {
  return [...outcomeCases(traits), ...wireCases, ...byteCases(traits)];
}
