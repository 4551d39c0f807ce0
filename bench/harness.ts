import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;

/** The same work done in different ways, called in turn within one run so that all meet the same machine. */
export interface Contender {
  readonly name: string;
  /** Makes the inputs of a round, outside of what is timed. */
  prepare?(times: number): void;
  /** Runs the work `times` times on inputs of its own round. */
  run(round: number, times: number): void | Promise<void>;
}

export interface Timing {
  readonly name: string;
  /** Median of the rounds. */
  readonly microseconds: number;
  /** How many times faster than the first contender: above 1 is faster. */
  readonly ratio: number;
}

export interface Gate {
  readonly what: string;
  readonly ratio: number;
  readonly least: number;
}

// A gate is a median of noisy rounds.
const NOISE = 0.05;
const WARM_UP_ROUNDS = 3;

/** CPU time per call of each contender: medians over interleaved rounds. */
export async function compare(contenders: readonly Contender[], times: number, rounds = 21): Promise<Timing[]> {
  const samples = contenders.map((): number[] => []);
  for (let round = 0; round < rounds + WARM_UP_ROUNDS; round++) {
    for (const [index, contender] of contenders.entries()) {
      const before = process.cpuUsage();
      await contender.run(round, times);
      // Within its time: else whoever comes next pays for the garbage of this one.
      collectYoungGarbage();
      const { user, system } = process.cpuUsage(before);
      if (round >= WARM_UP_ROUNDS) samples[index]?.push((user + system) / times);
    }
  }
  const medians = samples.map(median);
  const first = medians[0] ?? 0;
  return contenders.map(({ name }, index) => {
    const microseconds = medians[index] ?? 0;
    return { name, microseconds, ratio: first / microseconds };
  });
}

/**
 * CPU time per call that each contender takes beyond the first one, in microseconds: medians of the differences within a round.
 * The order rotates, since whoever comes later in a round is slower.
 */
export async function compareToFirst(contenders: readonly Contender[], times: number, rounds = 101): Promise<number[]> {
  const differences = contenders.map((): number[] => []);
  for (let round = 0; round < rounds + WARM_UP_ROUNDS; round++) {
    const costs: number[] = [];
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round) % contenders.length;
      contenders[index]?.prepare?.(times);
      collectYoungGarbage();
      const before = process.cpuUsage();
      await contenders[index]?.run(round, times);
      const { user, system } = process.cpuUsage(before);
      costs[index] = (user + system) / times;
    }
    if (round < WARM_UP_ROUNDS) continue;
    for (const [index, cost] of costs.entries()) differences[index]?.push(cost - (costs[0] ?? 0));
  }
  return differences.map(median);
}

export function collectYoungGarbage(): void {
  collectGarbage({ type: 'minor' });
}

export function collectAllGarbage(): void {
  collectGarbage();
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** What a quarter of the values stay below: for measures to which a busy machine only ever adds. */
export function lowerQuartile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 4)] ?? 0;
}

export function printTable(title: string, timings: readonly Timing[]): void {
  console.log(`\n${title}`);
  for (const { name, microseconds, ratio } of timings) {
    console.log(`  ${name.padEnd(44)} ${microseconds.toFixed(2).padStart(9)} µs  ${ratio.toFixed(2).padStart(6)}`);
  }
}

/** Prints the verdicts and returns whether all hold. */
export function printGates(gates: readonly Gate[]): boolean {
  console.log('\nGates');
  for (const { what, ratio, least } of gates) {
    console.log(`  ${holds(ratio, least) ? 'ok  ' : 'MISS'} ${what.padEnd(56)} ${ratio.toFixed(2)}, at least ${least}`);
  }
  return gates.every(({ ratio, least }) => holds(ratio, least));
}

function holds(ratio: number, least: number): boolean {
  return ratio + NOISE >= least;
}
