import { setTimeout as delay } from 'node:timers/promises';
import type { QueueStats } from '@pathfinder/webhooks';
import type { Child } from './children.ts';
import type { Disturbance } from './engine.ts';
import { pause } from './sender.ts';

/** Receivers with workers, as many as a deployment has, whatever happens to them. */
export interface Fleet {
  readonly kills: number;
  /** Locks, full disks and steps of the clock. */
  readonly disturbances: number;
  /** What went wrong with them, in sentences. */
  readonly problems: readonly string[];
  start(count: number): Promise<void>;
  /** The port of one that is up, if any is. */
  pickPort(): number | undefined;
  /** Kills, freezes or shuts down one of them, and sees to its return; or disturbs them. */
  hit(): Promise<void>;
  killAll(): Promise<void>;
  stats(): Promise<QueueStats>;
}

const SHUTDOWN_MS = 20_000;
const MOST_STEP_MS = 3_600_000;

export function createFleet(
  launch: (aheadMs: number) => Child,
  leaseMs: number,
  lock?: (ms: number) => Promise<void>,
): Fleet {
  const ports = new Map<Child, number | undefined>();
  const problems: string[] = [];
  let kills = 0;
  let disturbances = 0;
  let aheadMs = 0;

  async function add(): Promise<void> {
    const child = launch(aheadMs);
    ports.set(child, undefined);
    ports.set(child, await child.hear<number>('port'));
  }

  const up = () => [...ports].filter(([, port]) => port !== undefined);

  async function freeze(child: Child): Promise<void> {
    child.process.kill('SIGSTOP');
    await pause(leaseMs * 2);
    child.process.kill('SIGCONT');
  }

  async function shutDown(child: Child): Promise<void> {
    const late = delay(SHUTDOWN_MS, 'late' as const, { ref: false });
    const code = await Promise.race([child.end('SIGTERM'), late]);
    if (code === 0) return;
    problems.push(`A process that was asked to end did so with ${code}.`);
    child.process.kill('SIGKILL');
  }

  /** Disturbs all of them, as what happens to their host does. */
  async function disturb(): Promise<void> {
    disturbances++;
    const chance = Math.random();
    if (chance < 0.4) return lock?.(leaseMs * 2 * Math.random());
    const children = up().map(([child]) => child);
    if (chance < 0.6) {
      const fillMs = leaseMs * Math.random();
      for (const child of children) child.process.send({ fillMs } satisfies Disturbance);
      return pause(fillMs);
    }
    const stepMs = (Math.random() - 0.5) * 2 * MOST_STEP_MS;
    aheadMs += stepMs;
    for (const child of children) child.process.send({ stepMs } satisfies Disturbance);
  }

  return {
    get disturbances() {
      return disturbances;
    },
    get kills() {
      return kills;
    },
    problems,
    async start(count) {
      await Promise.all(Array.from({ length: count }, add));
    },
    pickPort: () => up()[Math.floor(Math.random() * up().length)]?.[1],
    async hit() {
      const [child] = up()[Math.floor(Math.random() * up().length)] ?? [];
      if (!child) return;
      if (Math.random() < 0.3) return disturb();
      kills++;
      const chance = Math.random();
      if (chance < 0.2) return freeze(child);
      ports.delete(child);
      if (chance < 0.35) await shutDown(child);
      else await child.end('SIGKILL');
      await add();
    },
    async killAll() {
      const all = [...ports.keys()];
      ports.clear();
      kills += all.length;
      await Promise.all(all.map((child) => child.end('SIGKILL')));
    },
    async stats() {
      const [child] = up()[0] ?? [];
      if (!child) throw new Error('No process is up.');
      child.process.send('stats');
      return child.hear<QueueStats>('stats');
    },
  };
}
