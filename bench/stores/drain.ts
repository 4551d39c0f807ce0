import { join } from 'node:path';
import { importBuilt, importBuiltSqlite } from '../built.ts';
import type { Gate } from '../harness.ts';
import { SECRET } from '../usual.ts';
import { drainByHand } from './drain-by-hand.ts';
import { inFolder, makeDeliveries, openByHand } from './files.ts';
import { printPaces, race } from './wall.ts';

const EVENTS = 2000;
const ROUNDS = 11;

/** Workers with an empty handler, beside a loop by hand that promises the same of an event. */
export async function benchDrain(): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const [concurrency, least] of [
    [10, 0.6],
    [50, 0.8],
  ] as const) {
    const ratio = await inFolder((folder) => drain(folder, concurrency));
    gates.push({ what: `drain at concurrency ${concurrency}, against a loop by hand`, ratio, least });
  }
  return gates;
}

async function drain(folder: string, concurrency: number): Promise<number> {
  const { WebhookHandler } = await importBuilt();
  const { sqliteQueue } = await importBuiltSqlite();
  const queues = { hand: sqliteQueue(join(folder, 'hand.db')), own: sqliteQueue(join(folder, 'own.db')) };
  const byHand = openByHand(join(folder, 'hand.db'));
  let ran = 0;
  let onLast = () => {};
  const webhooks = new WebhookHandler({ secret: SECRET, queue: queues.own });
  webhooks.on('user.created', () => {
    if (++ran === EVENTS) onLast();
  });
  const fill = (queue: keyof typeof queues) => async (round: number) => {
    const deliveries = makeDeliveries(EVENTS, `${concurrency}_${round}`);
    await Promise.all(deliveries.map((delivery) => queues[queue].enqueue(delivery)));
  };
  const paces = await race(
    [
      {
        name: 'a loop by hand',
        prepare: fill('hand'),
        run: () => drainByHand(byHand, concurrency, async () => undefined),
      },
      {
        name: 'sqliteQueue and WebhookHandler.start',
        prepare: fill('own'),
        async run() {
          ran = 0;
          const last = new Promise<void>((resolve) => {
            onLast = resolve;
          });
          await webhooks.start({ concurrency });
          await last;
          await webhooks.stop();
        },
      },
    ],
    EVENTS,
    ROUNDS,
  );
  printPaces(`Events of 1 kB worked off at concurrency ${concurrency}`, paces);
  for (const queue of Object.values(queues)) {
    const { ready, active } = await queue.stats();
    if (ready + active > 0) throw new Error(`${ready + active} events were left.`);
  }
  await queues.own.close?.();
  await queues.hand.close?.();
  byHand.close();
  return paces[1]?.ratio ?? 0;
}
