import type { Gate } from './harness.ts';
import { benchBacklog } from './stores/backlog.ts';
import { benchClaims } from './stores/claims.ts';
import { benchDrain } from './stores/drain.ts';
import { benchIngest } from './stores/ingest.ts';
import { benchMemoryStore } from './stores/memory-store.ts';

/** Stores and queues, beside the same by hand. */
export async function benchStores(): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const bench of [benchClaims, benchIngest, benchDrain, benchMemoryStore, benchBacklog])
    gates.push(...(await bench()));
  return gates;
}
