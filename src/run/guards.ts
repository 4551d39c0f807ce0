import type { ReceivedWebhookEvent } from '../events/index.ts';
import { Attempt } from './attempt.ts';
import { callHandler } from './context.ts';
import type { HandlerRun } from './handler-run.ts';
import { laneKey } from './keys.ts';
import { LANE_RETRY_MS, type Place } from './lanes.ts';
import { Lease, leaseMsOf } from './lease.ts';

const LANE_POLL_MS = 50;

/** Runs `work` while nothing else of this handler runs in the lane; a number is how long to wait before it is tried again. */
export async function runInLane(
  run: HandlerRun,
  lane: string,
  work: () => Promise<undefined> | undefined,
): Promise<number | undefined> {
  const { core, job } = run.execution;
  const key = laneKey(run, lane);
  // Requests are as many as are open. A worker that cannot lend its slot has other events to run meanwhile.
  const room = core.policy.retriesHere ? 'always' : job.slot ? 'some' : 'never';
  const place = core.lanes.enter(key, job.body.byteLength, room);
  if (typeof place === 'number') return place;
  try {
    const lease = await enterLane(run, key, place, room !== 'never');
    if (!lease) return LANE_RETRY_MS;
    // A handler that hangs keeps neither the lease, which runs out, nor its place, from which others may ask for it.
    run.lane = {
      stop() {
        lease.stop();
        place.leave();
      },
    };
    try {
      return run.stopped ? LANE_RETRY_MS : await work();
    } finally {
      run.lane = undefined;
      await leaveLane(run, lease);
    }
  } finally {
    place.leave();
  }
}

async function enterLane(run: HandlerRun, key: string, place: Place, mayWait: boolean): Promise<Lease | undefined> {
  const lease = place.isFirst ? await claimLane(run, key, place) : undefined;
  if (lease || !mayWait) return lease;
  return run.waitAside(async (mostMs) => {
    const untilMs = performance.now() + mostMs - LANE_POLL_MS;
    if (!(await place.turn(run.signal, untilMs - performance.now()))) return undefined;
    for (;;) {
      const claimed = await claimLane(run, key, place);
      // Another process has the lane.
      if (claimed || performance.now() >= untilMs || !(await run.wait(LANE_POLL_MS))) return claimed;
    }
  });
}

async function claimLane(run: HandlerRun, key: string, place: Place): Promise<Lease | undefined> {
  const { core } = run.execution;
  const claimedAtMs = performance.now();
  const claim = await core.store.claim(key, { leaseMs: leaseMsOf(core.store), bodyHash: '' });
  if (claim.status !== 'acquired') return undefined;
  return new Lease(core, { key, token: claim.token, claimedAtMs }, (error) => {
    run.stop(error);
    place.leave();
  });
}

async function leaveLane({ execution, registration }: HandlerRun, lane: Lease): Promise<void> {
  lane.stop();
  try {
    await execution.core.store.fail(lane.key, lane.token, { forget: true });
  } catch (error) {
    // The lane frees itself when its lease ends.
    execution.report(error, { handler: registration.id });
  }
}

/** Runs the handler once, so that its effects and the mark that it is done are committed together or not at all. */
export async function runInTransaction(
  run: HandlerRun,
  number: number,
  event: ReceivedWebhookEvent,
): Promise<undefined> {
  const { store } = run.execution.core;
  if (!store.transaction) throw new TypeError('The store has no transactions.');
  try {
    if (store.transactions === 'sync') {
      const attempt = new Attempt(run, number, event);
      await callHandler(attempt);
      await store.transaction(async (tx) => {
        attempt.applyEffect(tx);
        await markDone(attempt, tx);
      });
    } else {
      await store.transaction(async (tx) => {
        const attempt = new Attempt(run, number, event, tx);
        await callHandler(attempt);
        await markDone(attempt, tx);
      });
    }
  } catch (error) {
    if (error !== DONE_BEFORE) throw error;
  }
  run.execution.countSuccess();
  return undefined;
}

/** Rolls a second run back: the commit of an earlier attempt went through, though its answer was lost. */
const DONE_BEFORE = new Error('The handler has succeeded before.');

// An error here rolls the effects back with the marks.
async function markDone(attempt: Attempt, tx: unknown): Promise<void> {
  const { execution, registration } = attempt.run;
  if (!(await attempt.advanceEntities(tx))) {
    throw new Error('A newer event of the entity was applied meanwhile; this one is looked at again.');
  }
  if (!(await execution.checkpoints.markDone(registration, tx))) throw DONE_BEFORE;
}
