import { collectYoungGarbage, median } from '../harness.ts';

/** The same work done in different ways, of which the time on the wall counts: most of it is the disk's. */
export interface Racer {
  readonly name: string;
  /** Makes what the round needs. Not timed. */
  prepare?(round: number): void | Promise<void>;
  /** Does the work of one round. */
  run(round: number): void | Promise<void>;
}

export interface Pace {
  readonly name: string;
  /** Items a second: the median of the rounds. */
  readonly perSecond: number;
  /** The median over the rounds of this one's pace to the first one's in the same round: above 1 is faster. */
  readonly ratio: number;
}

const WARM_UP_ROUNDS = 2;

/** How many items a second each does, all of them in every round, each round in another order. */
export async function race(racers: readonly Racer[], items: number, rounds: number): Promise<Pace[]> {
  const seconds = racers.map((): number[] => []);
  for (let round = 0; round < rounds + WARM_UP_ROUNDS; round++) {
    const order = [...racers.keys()];
    if (round % 2 === 1) order.reverse();
    for (const index of order) {
      const racer = racers[index];
      await racer?.prepare?.(round);
      collectYoungGarbage();
      const beganMs = performance.now();
      await racer?.run(round);
      if (round >= WARM_UP_ROUNDS) seconds[index]?.push((performance.now() - beganMs) / 1000);
    }
  }
  const first = seconds[0] ?? [];
  return racers.map(({ name }, index) => {
    const own = seconds[index] ?? [];
    const ratios = own.map((time, round) => (first[round] ?? 0) / time);
    return { name, perSecond: items / median(own), ratio: median(ratios) };
  });
}

export function printPaces(title: string, paces: readonly Pace[]): void {
  console.log(`\n${title}`);
  for (const { name, perSecond, ratio } of paces) {
    const rounded = Math.round(perSecond).toLocaleString('en');
    console.log(`  ${name.padEnd(52)} ${rounded.padStart(9)}/s  ${ratio.toFixed(2).padStart(6)}`);
  }
}
