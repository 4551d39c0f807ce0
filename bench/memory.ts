import { importBuilt } from './built.ts';
import { collectAllGarbage, type Gate } from './harness.ts';
import { eventBody, SECRET, sign } from './usual.ts';

const DELIVERIES = 1_000_000;
const EVERY = 100_000;
// By then the store holds as many ids as it ever will, 100,000, and has begun to forget.
const FULL_AT = 200_000;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

interface Sample {
  readonly deliveries: number;
  readonly processed: number;
  readonly duplicate: number;
  readonly failed: number;
  readonly heapMB: number;
  readonly outsideMB: number;
}

/** A million deliveries of 1 kB, of which each tenth is a duplicate and each hundredth fails: the heap, once the store is full. */
export async function benchMemory(): Promise<Gate[]> {
  const { WebhookHandler } = await importBuilt();
  const webhooks = new WebhookHandler({ secret: SECRET, logger: SILENT });
  const failing = ({ id }: { readonly id: string }) => {
    if (id.endsWith('00')) throw new Error('This one fails.');
  };
  webhooks.on('user.created', failing, { retry: { attempts: 1 } });
  const counts = { processed: 0, duplicate: 0, failed: 0 };
  const samples: Sample[] = [];
  let body = eventBody(idOf(0), 1000);
  for (let made = 1; made <= DELIVERIES; made++) {
    if (made % 10 !== 9) body = eventBody(idOf(made), 1000);
    const header = sign(body);
    const delivery = {
      method: 'POST',
      header: (name: string) => (name === 'x-pathfinder-signature' ? header : undefined),
    };
    const { status } = JSON.parse((await webhooks.receive({ ...delivery, body })).body) as {
      status: keyof typeof counts;
    };
    counts[status]++;
    if (made % EVERY > 0) continue;
    collectAllGarbage();
    const { heapUsed, external } = process.memoryUsage();
    samples.push({ deliveries: made, ...counts, heapMB: megabytes(heapUsed), outsideMB: megabytes(external) });
  }
  console.log('\nA million deliveries, a tenth of them duplicates, a hundredth failing (heap after a full collection)');
  console.table(samples);
  const heapAt = (deliveries: number) => samples.find((sample) => sample.deliveries === deliveries)?.heapMB ?? 0;
  const counted = counts.duplicate / DELIVERIES === 0.1 && counts.failed / DELIVERIES === 0.01 ? 1 : 0;
  return [
    { what: 'a tenth duplicates, a hundredth failed', ratio: counted, least: 1 },
    {
      what: 'heap when the store is full, against heap at the end',
      ratio: heapAt(FULL_AT) / heapAt(DELIVERIES),
      least: 1,
    },
  ];
}

function idOf(made: number): string {
  return `evt_${String(made).padStart(10, '0')}`;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 10_000) / 100;
}
