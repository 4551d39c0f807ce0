import type { QueueWork, WebhookLogger } from '../../index.ts';
import { durationOrZero, positiveInteger } from '../../shared/check.ts';
import { unheeded } from '../../shared/guard.ts';
import { inOwnContext } from '../../shared/own-context.ts';
import { MOST_TIMER_MS, within } from '../../shared/time.ts';
import { HeldSlot, Slots } from './slots.ts';
import type { Room, Taken, WorkSource } from './work-source.ts';

// How long a stopped handler is waited for: one that heeds its signal needs less, and one that does not never ends.
const MOST_GRACE_MS = 1000;
// Deliveries that are given back are written even where no time is left for it.
const LEAST_WRITE_MS = 100;
const DRAIN_CONCURRENCY = 10;

export interface WorkersOptions {
  /** How often to look for what other processes have queued. `Infinity` when there are none. */
  readonly pollMs: number;
  readonly logger: Pick<WebhookLogger, 'error'>;
}

/** The loop that takes deliveries from a source and runs them: one of each queue in each process. */
export interface Workers {
  /** @throws TypeError when it runs already, or for a concurrency that is no whole number from 1. */
  start(work: QueueWork, options: { readonly concurrency: number }): void;
  stop(options: { readonly timeoutMs: number }): Promise<void>;
  drain(work: QueueWork, options: { readonly maxMs: number; readonly max: number }): Promise<number>;
  /** Looks at once: something was queued here. */
  wake(): void;
}

interface Run {
  readonly taken: Taken;
  readonly slot: HeldSlot;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

/** Where deliveries run: the workers, or one drain. */
interface Place {
  readonly work: QueueWork;
  readonly slots: Slots;
  /** Called when there is a slot again. */
  readonly look: () => void;
}

export function createWorkers(source: WorkSource, { pollMs, logger }: WorkersOptions): Workers {
  const runs = new Set<Run>();
  // The controllers of runs that ended are used again: a new one for each makes a run 7 % slower.
  const controllers: AbortController[] = [];
  let started: Place | undefined;
  let stops = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let takingUp: Promise<unknown> = Promise.resolve();

  function report(fields: object, message: string): void {
    unheeded(() => logger.error(fields, message));
  }

  function run(taken: Taken, { work, slots, look: lookThere }: Place): Run {
    const controller = controllers.pop() ?? new AbortController();
    const stopsBefore = stops;
    const slot = new HeldSlot(slots, () => {
      // Whoever is told to stop and waits for its lane has not begun, and need not.
      if (stops !== stopsBefore) controller.abort(stoppedError());
      lookThere();
    });
    // Whoever woke the workers, a handler runs in no caller's context.
    const ended = inOwnContext(() => runToEnd(taken, work, controller.signal, slot)).then(() => {
      runs.delete(entry);
      slot.end();
      if (!controller.signal.aborted) controllers.push(controller);
      lookThere();
      look();
    });
    const entry: Run = { taken, slot, controller, ended };
    runs.add(entry);
    return entry;
  }

  async function runToEnd(taken: Taken, work: QueueWork, signal: AbortSignal, slot: HeldSlot): Promise<void> {
    try {
      await taken.record(await work(taken.delivery, taken.attempt, signal, slot, taken.held));
    } catch (err) {
      // The event is not lost: its lease, or its turn in the queue, runs out by itself.
      report({ err, event_id: taken.delivery.eventId }, 'The end of a queued run could not be recorded');
    }
  }

  async function giveBack(all: readonly Taken[]): Promise<void> {
    for (const result of await Promise.allSettled(all.map((taken) => taken.giveBack()))) {
      if (result.status === 'rejected') {
        report({ err: result.reason }, 'A queued event could not be given back; its lease runs out by itself');
      }
    }
  }

  // Takes happen one after the other, so that each knows what runs already.
  function takeUp(place: Place, most: number): Promise<readonly Run[]> {
    const stopsBefore = stops;
    const begun = takingUp.then(() => takeNow(place, most, stopsBefore));
    takingUp = begun.catch(() => undefined);
    return begun;
  }

  /** Takes and starts what there are slots for; none when the queue is stopped meanwhile. */
  async function takeNow(place: Place, most: number, stopsBefore: number): Promise<readonly Run[]> {
    const room: Room = {
      most: () => (stops === stopsBefore ? Math.max(0, Math.min(place.slots.free, most)) : 0),
      isIdle: () => runs.size === 0,
    };
    if (room.most() === 0 || [...runs].some(({ taken }) => taken.alone)) return [];
    const taken = await source.take(room);
    if (stops === stopsBefore) return taken.map((one) => run(one, place));
    await giveBack(taken);
    return [];
  }

  // Looks at the source, once at a time: what happens during a look is seen by the next one.
  function look(): void {
    if (started) inOwnContext(lookNow);
  }

  function lookNow(): void {
    if (looking) {
      lookAgain = true;
      return;
    }
    clearTimeout(timer);
    lookAgain = false;
    looking = fill().then((waitMs) => {
      looking = undefined;
      if (lookAgain) look();
      else if (started) timer = setTimeout(look, Math.min(waitMs, MOST_TIMER_MS));
    });
  }

  /** Takes what there is room for, and returns how long to wait. */
  async function fill(): Promise<number> {
    try {
      while (started && started.slots.free > 0) {
        const begun = await takeUp(started, Number.POSITIVE_INFINITY);
        if (begun.length === 0) return Math.min(pollMs, await source.dueInMs());
      }
      // All places are taken: the end of a run looks again.
      return MOST_TIMER_MS;
    } catch (err) {
      report({ err }, 'The queue could not be read; it is tried again');
      return RETRY_MS;
    }
  }

  return {
    start(work, { concurrency }) {
      if (started) throw new TypeError('This queue has workers already: call stop() first.');
      positiveInteger('concurrency', concurrency);
      started = { work, slots: new Slots(concurrency), look };
      look();
    },

    async stop({ timeoutMs }) {
      durationOrZero('timeoutMs', timeoutMs);
      started = undefined;
      stops++;
      clearTimeout(timer);
      for (const { slot, controller } of runs) {
        slot.open();
        if (slot.left) controller.abort(stoppedError());
      }
      const endsAtMs = performance.now() + timeoutMs;
      const graceMs = Math.min(MOST_GRACE_MS, timeoutMs / 10);
      const leftMs = () => Math.max(0, endsAtMs - performance.now());
      // A source that is slow must not delay the aborts: the core's own come a grace later and count a failure.
      const idle = Promise.all([looking, ...Array.from(runs, ({ ended }) => ended)]);
      await within(Math.max(0, leftMs() - 2 * graceMs), idle, () => undefined);
      for (const { controller } of runs) controller.abort(stoppedError());
      await waitFor(runs, Math.min(graceMs, leftMs()));
      if (looking) await within(leftMs(), looking, () => undefined);
      const left = [...runs];
      // A handler that still runs has no say any more, and nobody waits for it.
      runs.clear();
      await within(Math.max(leftMs(), LEAST_WRITE_MS), giveBack(left.map(({ taken }) => taken)), () => undefined);
    },

    async drain(work, { maxMs, max }) {
      durationOrZero('maxMs', maxMs);
      const endsAtMs = performance.now() + maxMs;
      const stopsBefore = stops;
      const own = new Set<Promise<void>>();
      let ran = 0;
      let wakeUp = () => {};
      const slots = new Slots(DRAIN_CONCURRENCY);
      const place: Place = { work, slots, look: () => wakeUp() };
      for (;;) {
        const looked = new Promise<void>((resolve) => {
          wakeUp = resolve;
        });
        const isOpen = stops === stopsBefore && performance.now() < endsAtMs;
        const begun = await takeUp(place, isOpen ? max - ran : 0);
        ran += begun.length;
        for (const { ended } of begun) keepUntilEnded(own, ended);
        if (own.size === 0) return ran;
        await Promise.race([...own, looked]);
      }
    },

    wake: look,
  };
}

const RETRY_MS = 1000;

function stoppedError(): Error {
  return new Error('The worker was stopped.');
}

function keepUntilEnded(all: Set<Promise<void>>, ended: Promise<void>): void {
  const left: Promise<void> = ended.then(() => {
    all.delete(left);
  });
  all.add(left);
}

/** Waits for all runs, at most so long. */
async function waitFor(runs: ReadonlySet<Run>, mostMs: number): Promise<void> {
  if (runs.size > 0) await within(mostMs, Promise.all(Array.from(runs, ({ ended }) => ended)), () => undefined);
}
