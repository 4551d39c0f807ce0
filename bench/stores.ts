import type { Gate } from './harness.ts';
import { benchDrain } from './stores/drain.ts';

/** Stores and queues, beside the same by hand. */
export async function benchStores(): Promise<Gate[]> {
  return [...(await benchDrain())];
}
