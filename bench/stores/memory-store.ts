import { createHash } from 'node:crypto';
import { importBuilt } from '../built.ts';
import { collectAllGarbage, type Gate } from '../harness.ts';
import { storeRacer } from './claims.ts';
import { printPaces, race } from './wall.ts';

const SILENT = { warn() {} };
const PAIRS = 100_000;
const ROUNDS = 7;
const IDS = 1_000_000;
const LEAST_PER_SECOND = 150_000;
const MOST_BYTES_PER_ID = 200;

/** `memoryStore`: pairs of `claim` and `complete` a second, and what a remembered id costs beyond its own characters. */
export async function benchMemoryStore(): Promise<Gate[]> {
  const { memoryStore } = await importBuilt();
  const racer = storeRacer('memoryStore', memoryStore({ logger: SILENT }), 1, PAIRS);
  const paces = await race([racer], PAIRS, ROUNDS);
  printPaces('Pairs of claim and complete, one after the other', paces);
  const bytes = await bytesPerId();
  console.log(
    `\n  memoryStore: ${bytes.toFixed(0)} bytes for each of ${IDS.toLocaleString('en')} remembered ids, beside the id`,
  );
  return [
    { what: 'memoryStore: pairs a second, of 150,000', ratio: (paces[0]?.perSecond ?? 0) / LEAST_PER_SECOND, least: 1 },
    { what: 'memoryStore: 200 bytes an id, of what it takes', ratio: MOST_BYTES_PER_ID / bytes, least: 1 },
  ];
}

async function bytesPerId(): Promise<number> {
  const { memoryStore } = await importBuilt();
  const store = memoryStore({ maxEntries: IDS });
  // The ids are held here as well, so that they are on both sides.
  const ids = Array.from({ length: IDS }, (_, i) =>
    Buffer.from(`evt_${String(i).padStart(26, '0')}`).toString('latin1'),
  );
  const before = heapBytes();
  for (const id of ids) {
    // Each event has a hash of its own, which the store keeps.
    const bodyHash = createHash('sha256').update(id).digest('hex');
    const claim = await store.claim(id, { leaseMs: 30_000, bodyHash });
    if (claim.status === 'acquired') await store.complete(id, claim.token);
  }
  const bytes = (heapBytes() - before) / IDS;
  const [first = '', last = ''] = [ids[0], ids.at(-1)];
  if (!(await store.get(first)) || !(await store.get(last))) throw new Error('memoryStore forgot an id.');
  return bytes;
}

function heapBytes(): number {
  collectAllGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
