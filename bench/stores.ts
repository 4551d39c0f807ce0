import type { Gate } from './harness.ts';
import { benchBacklog } from './stores/backlog.ts';
import { benchClaims } from './stores/claims.ts';
import { benchDrain } from './stores/drain.ts';
import { benchIngest } from './stores/ingest.ts';
import { benchMemoryStore } from './stores/memory-store.ts';
import { benchServerClaims } from './stores/servers/claims.ts';
import { benchServerQueues } from './stores/servers/queues.ts';
import { benchRemembered } from './stores/servers/remembered.ts';

/** Stores and queues, beside the same by hand. */
export async function benchStores(): Promise<Gate[]> {
  const gates: Gate[] = [];
  const benches = [benchClaims, benchIngest, benchDrain, benchMemoryStore, benchBacklog];
  for (const bench of [...benches, benchServerClaims, benchServerQueues, benchRemembered])
    gates.push(...(await bench()));
  return gates;
}
