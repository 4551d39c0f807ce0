import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureBuild } from '../../test/support/build.ts';
import { type Gate, median } from '../harness.ts';
import type { BacklogReport } from './backlog-process.ts';

const SMALL = 2000;
const LARGE = 200_000;
const RUNS = 3;

/** The memory of a process that takes in a backlog and works it off: of 200,000 events, beside a hundredth of that. */
export async function benchBacklog(): Promise<Gate[]> {
  await ensureBuild();
  const reports: BacklogReport[] = [];
  for (let run = 0; run < RUNS; run++) {
    for (const events of [SMALL, LARGE]) reports.push(await workOff(events));
  }
  console.log('\nA backlog of events of 1 kB on sqliteQueue, in processes of their own');
  console.table(reports);
  const peakOf = (size: number) => median(reports.filter(({ events }) => events === size).map(({ peakMB }) => peakMB));
  return [
    {
      what: 'peak memory, backlog of 2,000 against 200,000',
      ratio: peakOf(SMALL) / peakOf(LARGE),
      least: 0.5,
    },
  ];
}

async function workOff(events: number): Promise<BacklogReport> {
  const script = fileURLToPath(new URL('backlog-process.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, String(events)]);
  return JSON.parse(stdout) as BacklogReport;
}
