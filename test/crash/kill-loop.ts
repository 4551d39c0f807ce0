import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChildBuild, withChildren } from './children.ts';
import { FAILED_RUN } from './constants.ts';
import type { CrashEngine, CrashPlace, Twin } from './engine.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { createSender, pause } from './sender.ts';

export interface KillLoopOptions {
  /** How many kills there are at least. Default 0. */
  readonly kills?: number;
  /** How long events are sent and processes killed, at least. Default 0. */
  readonly durationMs?: number;
  /** Default 500. */
  readonly leaseMs?: number;
  /** Receivers with workers. Default 2. */
  readonly processes?: number;
  /** How often the engine's own server is restarted, where it has one. Default never. */
  readonly restartEveryMs?: number;
  /** How long nothing may move until what is left counts as stuck, beyond two leases. Default 10,000. */
  readonly patienceMs?: number;
  readonly twin?: Twin;
}

/** What a run found. Of a sound engine, `lost`, `stuck`, `doubled` and `problems` are empty. */
export interface KillLoopReport {
  readonly engine: string;
  readonly kills: number;
  /** Locks, full disks and steps of the clock. */
  readonly disturbances: number;
  /** Of the engine's own server. */
  readonly restarts: number;
  readonly acknowledged: number;
  /** Acknowledged, and its effect made. */
  readonly completed: number;
  /** Acknowledged, and neither done nor waiting. */
  readonly lost: number;
  /** Effects that were made twice although the engine commits them with their mark. */
  readonly doubled: number;
  /** Runs that ended without a word and were repeated: effects outside a transaction would have been doubled. */
  readonly repeated: number;
  /** Still not done when nothing has moved for longer than a lease. */
  readonly stuck: number;
  readonly problems: readonly string[];
}

const LANES = 8;
const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 400;
const POLL_MS = 50;

/**
 * Sends events to receivers that are killed, frozen past their leases and shut down at random, and compares what was
 * acknowledged with what was done.
 */
export function runKillLoop(engine: CrashEngine, options: KillLoopOptions): Promise<KillLoopReport> {
  return withChildren((built) => killLoop(engine, options, built));
}

/**
 * Runs the loop with a fault, again and again until it shows.
 *
 * @returns How many runs it took, or `undefined` when it never showed.
 */
export function findFault(
  engine: CrashEngine,
  twin: Twin,
  shows: (report: KillLoopReport) => boolean,
  { kills = 1, runs = 10 }: { readonly kills?: number; readonly runs?: number } = {},
): Promise<number | undefined> {
  return withChildren(async (built) => {
    for (let run = 1; run <= runs; run++) {
      if (shows(await killLoop(engine, { kills, twin, patienceMs: 1000 }, built))) return run;
    }
    return undefined;
  });
}

async function killLoop(engine: CrashEngine, options: KillLoopOptions, built: ChildBuild): Promise<KillLoopReport> {
  const { kills = 0, durationMs = 0, leaseMs = 500, processes = 2, restartEveryMs, twin } = options;
  const folder = mkdtempSync(join(tmpdir(), 'pathfinder-runs-'));
  const runsFile = join(folder, 'runs');
  const place = await engine.prepare({ restarts: restartEveryMs !== undefined });
  const task = { engine: engine.name, role: 'node', settings: place.settings, leaseMs, runsFile, twin } as const;
  const fleet = createFleet((aheadMs) => built.start({ ...task, aheadMs }), leaseMs, place.lock);
  const sender = createSender(fleet.pickPort);
  try {
    await fleet.start(processes);
    const sending = sender.run(LANES);
    const restarts = place.restart && restartEveryMs ? repeat(place.restart, restartEveryMs) : undefined;
    const endsAtMs = performance.now() + durationMs;
    while (fleet.kills < kills || performance.now() < endsAtMs) {
      await pause(LEAST_PAUSE_MS + Math.random() * (MOST_PAUSE_MS - LEAST_PAUSE_MS));
      await fleet.hit();
    }
    const restarted = (await restarts?.stop()) ?? 0;
    // All at once, amid the traffic: others have to finish what they had begun.
    await fleet.killAll();
    await fleet.start(processes);
    sender.stop();
    await sending;
    await sender.settle();
    const stuck = await untilNothingMoves(fleet, place, leaseMs * 2 + (options.patienceMs ?? 10_000));
    return await reportOf(engine, place, { fleet, sender, restarts: restarted, stuck, runsFile });
  } finally {
    sender.stop();
    sender.close();
    built.killAll();
    await place.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many are not done when nothing has moved for so long. */
async function untilNothingMoves(fleet: Fleet, place: CrashPlace, patienceMs: number): Promise<number> {
  let before = '';
  let movedAtMs = performance.now();
  for (;;) {
    const { ready, active, delayed, dead } = await fleet.stats();
    const left = ready + active + delayed;
    if (left === 0) return dead;
    const made = [...(await place.effects()).values()].reduce((sum, count) => sum + count, 0);
    const now = `${left} ${made}`;
    if (now !== before) movedAtMs = performance.now();
    before = now;
    if (performance.now() - movedAtMs > patienceMs) return left + dead;
    await pause(POLL_MS);
  }
}

interface Found {
  readonly fleet: Fleet;
  readonly sender: { readonly acknowledged: ReadonlySet<string> };
  readonly restarts: number;
  readonly stuck: number;
  readonly runsFile: string;
}

async function reportOf(engine: CrashEngine, place: CrashPlace, found: Found): Promise<KillLoopReport> {
  const { fleet, sender, restarts, stuck, runsFile } = found;
  const effects = await place.effects();
  const missing = [...sender.acknowledged].filter((id) => !effects.has(id)).length;
  const doubled = [...effects.values()].filter((made) => made > 1).length;
  return {
    engine: engine.name,
    kills: fleet.kills,
    disturbances: fleet.disturbances,
    restarts,
    acknowledged: sender.acknowledged.size,
    completed: sender.acknowledged.size - missing,
    lost: Math.max(0, missing - stuck),
    doubled: engine.transactional ? doubled : 0,
    repeated: repeatedIn(runsFile),
    stuck,
    problems: [...fleet.problems, ...(stuck === 0 ? await place.problems() : [])],
  };
}

// Those that followed a failure are as they should be.
function repeatedIn(runsFile: string): number {
  const lines = existsSync(runsFile) ? readFileSync(runsFile, 'utf8').trimEnd().split('\n') : [];
  const runs = lines.filter((line) => line !== FAILED_RUN);
  return Math.max(0, runs.length - new Set(runs).size - (lines.length - runs.length));
}

/** Does it again and again; `stop` gives how often. */
function repeat(work: () => Promise<void>, everyMs: number): { stop(): Promise<number> } {
  let stopped = false;
  let times = 0;
  const loop = (async () => {
    while (!stopped) {
      await pause(everyMs);
      if (stopped) return;
      await work();
      times++;
    }
  })();
  return {
    async stop() {
      stopped = true;
      await loop;
      return times;
    },
  };
}
