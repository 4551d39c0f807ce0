import { statSync } from 'node:fs';
import { join } from 'node:path';
import { importBuilt, importBuiltSqlite } from '../built.ts';
import { SECRET } from '../usual.ts';
import { inFolder, makeDeliveries } from './files.ts';

/** What a process says that has worked off a backlog. */
export interface BacklogReport {
  readonly events: number;
  /** Largest resident size, in all. */
  readonly peakMB: number;
  readonly fileMB: number;
  readonly inSeconds: number;
  readonly outSeconds: number;
}

const AT_A_TIME = 100;

const report = await inFolder((folder) => workOff(folder, Number(process.argv[2])));
console.log(JSON.stringify(report));

async function workOff(folder: string, events: number): Promise<BacklogReport> {
  const { WebhookHandler } = await importBuilt();
  const { sqliteQueue } = await importBuiltSqlite();
  const path = join(folder, 'webhooks.db');
  const queue = sqliteQueue(path);
  const webhooks = new WebhookHandler({ secret: SECRET, queue });
  let ran = 0;
  const last = new Promise<void>((resolve) => {
    webhooks.on('user.created', () => {
      if (++ran === events) resolve();
    });
  });
  const beganMs = performance.now();
  for (let made = 0; made < events; made += AT_A_TIME) {
    const deliveries = makeDeliveries(AT_A_TIME, `backlog_${made}`);
    await Promise.all(deliveries.map((delivery) => queue.enqueue(delivery)));
  }
  const filledMs = performance.now();
  const { size } = statSync(path);
  await webhooks.start();
  await last;
  await webhooks.stop();
  const { ready, active } = await queue.stats();
  if (ready + active > 0) throw new Error(`${ready + active} events were left.`);
  await queue.close?.();
  return {
    events,
    peakMB: Math.round(process.resourceUsage().maxRSS / 1024),
    fileMB: Math.round(size / 1e6),
    inSeconds: seconds(filledMs - beganMs),
    outSeconds: seconds(performance.now() - filledMs),
  };
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
