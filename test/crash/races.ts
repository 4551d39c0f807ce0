import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueuedDelivery } from '@pathfinder/webhooks';
import { type ChildBuild, withChildren } from './children.ts';
import { RACE_KEYS } from './constants.ts';
import type { ChildTask, CrashEngine, CrashPlace, CrashQueue, CrashSettings, Killer, Twin } from './engine.ts';
import { bodyOf, createSender } from './sender.ts';

const POLL_MS = 10;
const LANES = 8;
const SENT_BEFORE_SHUTDOWN = 50;

/** Lets processes race for the same 800 keys, and tells how often each key was won. */
export function runRace(engine: CrashEngine, processes = 6): Promise<ReadonlyMap<string, number>> {
  return inPlace(engine, async ({ settings }, built) => {
    const task = taskFor(engine, settings, 'race', 60_000);
    const children = Array.from({ length: processes }, () => built.start(task));
    await Promise.all(children.map((child) => child.hear('ready')));
    const won = children.map((child) => child.hear<readonly string[]>('won'));
    for (const child of children) child.process.send('go');
    const wins = new Map(RACE_KEYS.map((key) => [key, 0]));
    for (const key of (await Promise.all(won)).flat()) wins.set(key, (wins.get(key) ?? 0) + 1);
    return wins;
  });
}

export interface ZombieReport {
  /** What the zombie was told to extend, checkpoint, complete and fail. */
  readonly answers: readonly unknown[];
  /** Whether the one that took over could complete the event. */
  readonly completed: boolean;
  /** The event afterwards. */
  readonly after: unknown;
}

/** Freezes a process past its lease, gives its event to another, and lets it go on. */
export function runZombie(engine: CrashEngine, leaseMs = 300): Promise<ZombieReport> {
  return inPlace(engine, async ({ settings }, built) => {
    const opened = await engine.open(settings, { leaseMs });
    const { store } = opened.queue;
    try {
      const zombie = built.start(taskFor(engine, settings, 'zombie', leaseMs));
      await zombie.hear('claimed');
      zombie.process.kill('SIGSTOP');
      let claim = await store.claim('zombie', { leaseMs: 60_000, bodyHash: '' });
      while (claim.status === 'busy') {
        await delay(claim.retryAfterMs + 1);
        claim = await store.claim('zombie', { leaseMs: 60_000, bodyHash: '' });
      }
      if (claim.status !== 'acquired') throw new Error(`not acquired but ${claim.status}`);
      const answers = zombie.hear<readonly unknown[]>('answers');
      zombie.process.kill('SIGCONT');
      zombie.process.send('go');
      const told = await answers;
      const completed = await store.complete('zombie', claim.token);
      return { answers: told, completed, after: await store.get('zombie') };
    } finally {
      await opened.close();
    }
  });
}

export interface PoisonReport {
  /** How often the process was taken down. */
  readonly crashes: number;
  readonly deadLetters: readonly { readonly id: string; readonly error: string }[];
  /** Events beside it that were done. */
  readonly effects: number;
}

/** Queues an event that takes each process down that works it off, among others that are sound. */
export function runPoison(engine: CrashEngine, killer: Killer, leaseMs = 200): Promise<PoisonReport> {
  return inPlace(engine, async (place, built) => {
    const opened = await engine.open(place.settings, { leaseMs });
    let port: number | undefined;
    const sender = createSender(() => port);
    const unsent = new Set(Array.from({ length: 20 }, (_, i) => `evt_${i}`));
    const task = { ...taskFor(engine, place.settings, 'node', leaseMs), killer };
    let crashes = 0;
    // A receiver that knows nothing of the fault has taken it in, as one of the day before.
    await opened.queue.enqueue(poisonOf('evt_poison'));
    try {
      for (;;) {
        const child = built.start(task);
        const told = await child.hear<number>('port').catch((error: Error) => error);
        port = typeof told === 'number' ? told : undefined;
        while (child.process.exitCode === null && child.process.signalCode === null) {
          for (const id of unsent) {
            if (await sender.send(id)) unsent.delete(id);
          }
          if (unsent.size === 0 && (await isIdle(opened))) {
            const letters = await opened.queue.deadLetters.list();
            const deadLetters = letters.map(({ id, error }) => ({ id, error }));
            return { crashes, deadLetters, effects: (await place.effects()).size };
          }
          await delay(POLL_MS);
        }
        if (child.process.signalCode !== 'SIGKILL') throw told;
        crashes++;
      }
    } finally {
      sender.close();
      await opened.close();
    }
  });
}

function poisonOf(id: string): QueuedDelivery {
  const type = 'user.deleted';
  const body = Buffer.from(bodyOf(id, type));
  const bodyHash = createHash('sha256').update(body).digest('hex');
  return { key: id, eventId: id, type, created: 1, body, bodyHash, headers: {}, receivedAtMs: Date.now() };
}

export interface ShutdownReport {
  readonly exitCode: number | null;
  /** Claims that are left to run out by themselves. */
  readonly claimsLeft: number;
  /** Acknowledged events that nobody did. */
  readonly lost: number;
  /** Effects that were made twice although the engine commits them with their mark. */
  readonly doubled: number;
}

/** Asks a process to end while events come and run, and lets another one do the rest. */
export function runShutdown(engine: CrashEngine, twin?: Twin): Promise<ShutdownReport> {
  return inPlace(engine, async (place, built) => {
    const leaseMs = 60_000;
    const task = { ...taskFor(engine, place.settings, 'node', leaseMs), twin };
    const opened = await engine.open(place.settings, { leaseMs });
    let port: number | undefined;
    const sender = createSender(() => port);
    try {
      const child = built.start(task);
      port = await child.hear<number>('port');
      const sending = sender.run(LANES);
      while (sender.acknowledged.size < SENT_BEFORE_SHUTDOWN) await delay(POLL_MS);
      const exitCode = await child.end('SIGTERM');
      port = undefined;
      sender.stop();
      await sending;
      const claimsLeft = (await opened.queue.stats()).active;
      built.start(task);
      // Nobody waits for a lease here.
      while (claimsLeft === 0 && !(await isIdle(opened))) await delay(POLL_MS);
      const effects = await place.effects();
      const lost = [...sender.acknowledged].filter((id) => !effects.has(id)).length;
      const doubled = [...effects.values()].filter((made) => made > 1).length;
      return { exitCode, claimsLeft, lost, doubled: engine.transactional ? doubled : 0 };
    } finally {
      sender.stop();
      sender.close();
      await opened.close();
    }
  });
}

async function isIdle({ queue }: CrashQueue): Promise<boolean> {
  const { ready, active, delayed } = await queue.stats();
  return ready + active + delayed === 0;
}

function taskFor({ name }: CrashEngine, settings: CrashSettings, role: ChildTask['role'], leaseMs: number): ChildTask {
  return { engine: name, role, settings, leaseMs, runsFile: '/dev/null', calm: true };
}

async function inPlace<T>(engine: CrashEngine, work: (place: CrashPlace, built: ChildBuild) => Promise<T>): Promise<T> {
  const place = await engine.prepare({ restarts: false });
  try {
    return await withChildren((built) => work(place, built));
  } finally {
    await place.dispose();
  }
}
