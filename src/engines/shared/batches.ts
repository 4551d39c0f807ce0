import { setImmediate } from 'node:timers';
import { inOwnContext } from '../../shared/own-context.ts';

const MOST_AT_A_TIME = 2;
// Kept from before a test fakes it: a batch that waits for a clock which somebody has to turn never comes.
const afterThisTurn = setImmediate;

export interface BatchesOptions<T> {
  /** Most items of a batch. */
  readonly most: number;
  /** No batch has two items of one key. */
  keyOf(item: T): string;
  /** Whether the error is that of one item, and not of the database: the others are tried without it. */
  isOfOne(error: unknown): boolean;
}

interface Waiting<T, R> {
  readonly item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Gathers what arrives in one turn of the event loop, and while two batches are under way, so that a round trip and a
 * commit are shared. `run` answers in the order of its items.
 */
export function createBatches<T, R>(
  run: (items: readonly T[]) => Promise<readonly R[]>,
  { most, keyOf, isOfOne }: BatchesOptions<T>,
): (item: T) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  let running = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || waiting.length === 0 || running >= MOST_AT_A_TIME) return;
    scheduled = true;
    inOwnContext(() => afterThisTurn(begin));
  }

  function begin(): void {
    scheduled = false;
    const batch = takeBatch();
    running++;
    void runBatch(batch).finally(() => {
      running--;
      schedule();
    });
    schedule();
  }

  function takeBatch(): readonly Waiting<T, R>[] {
    const byKey = new Map<string, Waiting<T, R>>();
    const left: Waiting<T, R>[] = [];
    for (const one of waiting.splice(0)) {
      const key = keyOf(one.item);
      if (byKey.size < most && !byKey.has(key)) byKey.set(key, one);
      else left.push(one);
    }
    waiting.push(...left);
    // Two batches that lock their rows in one order do not wait for each other.
    return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  }

  async function runBatch(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await run(batch.map(({ item }) => item));
      for (const [i, one] of batch.entries()) one.resolve(results[i] as R);
    } catch (error) {
      await giveUp(batch, error);
    }
  }

  // An item that is at fault fails no other.
  async function giveUp(batch: readonly Waiting<T, R>[], error: unknown): Promise<void> {
    const mayDoAlone = batch.length > 1 && isOfOne(error);
    for (const one of batch) {
      if (mayDoAlone) await runBatch([one]);
      else one.reject(error);
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}
