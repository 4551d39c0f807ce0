import { join } from 'node:path';
import type { QueuedDelivery, WebhookQueue } from '@pathfinder/webhooks';
import { importBuilt, importBuiltSqlite } from '../../built.ts';
import { collectYoungGarbage, type Gate, median } from '../../harness.ts';
import { SECRET } from '../../usual.ts';
import { inFolder, makeDeliveries } from '../files.ts';
import { bullmqByHand, pgBossByHand } from './by-hand.ts';
import { newName, onPostgres, onRedis, SILENT } from './places.ts';

const EVENTS = 2000;
const SENDERS = 100;
const CONCURRENCY = 10;
const ROUNDS = 7;

/** A way to take events in and to work them off. */
interface Line {
  readonly name: string;
  /** Which line this one is measured by, within its engine. */
  readonly by?: string | undefined;
  enqueue(delivery: QueuedDelivery): Promise<unknown>;
  drain(events: number): Promise<void>;
  close(): Promise<void>;
}

interface Times {
  readonly ingest: number[];
  readonly drain: number[];
}

/** Queues end to end: two thousand events of 1 kB by a hundred senders, then worked off ten at a time with an empty handler. */
export async function benchServerQueues(): Promise<Gate[]> {
  return inFolder(async (folder) => {
    const { sqliteQueue } = await importBuiltSqlite();
    const redis = await onRedis();
    const postgres = await onPostgres();
    const lines: Line[] = [
      await ours('sqliteQueue', sqliteQueue(join(folder, 'own.db'))),
      { name: 'BullMQ by hand, with claims', ...(await bullmqByHand(redis, true)) },
      { name: 'BullMQ by hand, bare', ...(await bullmqByHand(redis, false)) },
      { ...(await ours('bullmqQueue', await redis.queue())), by: 'BullMQ by hand, with claims' },
      { name: 'pg-boss by hand, with claims', ...(await pgBossByHand(postgres, true)) },
      { name: 'pg-boss by hand, bare', ...(await pgBossByHand(postgres, false)) },
      { ...(await ours('pgBossQueue', await postgres.queue())), by: 'pg-boss by hand, with claims' },
    ];
    const times = new Map(lines.map(({ name }) => [name, { ingest: [], drain: [] } as Times]));
    for (let round = 0; round <= ROUNDS; round++) {
      const order = round % 2 === 1 ? [...lines].reverse() : lines;
      for (const line of order) await runRound(line, round, times.get(line.name));
    }
    const gates = printLines(lines, times);
    for (const line of lines) await line.close();
    await redis.dispose();
    await postgres.dispose();
    return gates;
  });
}

/** The first round warms up. */
async function runRound(line: Line, round: number, times: Times | undefined): Promise<void> {
  const deliveries = makeDeliveries(EVENTS, `${newName()}_${round}`);
  collectYoungGarbage();
  const beganMs = performance.now();
  const rest = deliveries.values();
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      for (const delivery of rest) await line.enqueue(delivery);
    }),
  );
  const queuedMs = performance.now();
  await line.drain(EVENTS);
  if (round === 0) return;
  times?.ingest.push(queuedMs - beganMs);
  times?.drain.push(performance.now() - queuedMs);
}

async function ours(name: string, queue: WebhookQueue): Promise<Line> {
  const { WebhookHandler } = await importBuilt();
  let left = 0;
  let onLast = () => {};
  const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: SILENT });
  webhooks.on('user.created', () => {
    if (--left === 0) onLast();
  });
  return {
    name,
    enqueue: (delivery) => queue.enqueue(delivery),
    async drain(events) {
      left = events;
      const last = new Promise<void>((resolve) => {
        onLast = resolve;
      });
      await webhooks.start({ concurrency: CONCURRENCY });
      await last;
      await webhooks.stop();
    },
    close: async () => queue.close?.(),
  };
}

function printLines(lines: readonly Line[], times: ReadonlyMap<string, Times>): Gate[] {
  const gates: Gate[] = [];
  const perSecond = (all: readonly number[]) => Math.round((EVENTS * 1000) / median(all)).toLocaleString('en');
  console.log(
    `\nEvents of 1 kB: ingest by ${SENDERS} senders, drain at concurrency ${CONCURRENCY}, both one after the other`,
  );
  for (const { name, by } of lines) {
    const own = times.get(name);
    if (!own) continue;
    const hand = times.get(by ?? '');
    const both = own.ingest.map((ms, i) => ms + (own.drain[i] ?? 0));
    const handBoth = hand?.ingest.map((ms, i) => ms + (hand.drain[i] ?? 0));
    const ratio = handBoth && median(handBoth.map((ms, i) => ms / (both[i] ?? 0)));
    const shown = ratio === undefined ? '' : ratio.toFixed(2);
    console.log(
      `  ${name.padEnd(32)} ${perSecond(own.ingest).padStart(8)}/s ${perSecond(own.drain).padStart(8)}/s ${perSecond(both).padStart(8)}/s ${shown.padStart(6)}`,
    );
    if (ratio !== undefined) gates.push({ what: `${name} end to end, against ${by}`, ratio, least: 0.8 });
  }
  return gates;
}
