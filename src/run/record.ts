import { WebhookError } from '../errors.ts';
import type { DeadOutcome, FailedOutcome, HandlerFailure, InProgressOutcome, Outcome } from '../outcome.ts';
import { isNonRetryableError } from '../retry/errors.ts';
import { retryDelayMs } from '../retry/policy.ts';
import { describeError } from '../shared/text.ts';
import { isThenable } from '../shared/thenable.ts';
import { sleep } from '../shared/time.ts';
import type { FailOptions } from '../store.ts';
import { NoAnswerError } from './ask.ts';
import { retryPolicyOf } from './dispatch.ts';
import type { Execution } from './handler-run.ts';
import type { HandlerResult } from './handler-types.ts';
import { leaseMsOf } from './lease.ts';

type FailedResult = Extract<HandlerResult, { readonly status: 'failed' }>;

const COMPLETE_ATTEMPTS = 3;
const COMPLETE_WAIT_MS = 50;

/**
 * Tells the store how the handlers of an event ended, and lets go of the event.
 *
 * @param stop - Has aborted when the worker was told to stop.
 * @throws WebhookError `store_unavailable` when it cannot be told that the event is done.
 */
export async function record(
  execution: Execution,
  results: readonly HandlerResult[],
  stop?: AbortSignal,
): Promise<Outcome> {
  const { core, lease } = execution;
  if (execution.ended.length === 0 && results.every((result) => result.status === 'succeeded')) {
    let completed: boolean;
    try {
      // The worker takes its next event meanwhile: a store that groups its writes does both in one commit.
      execution.job.slot?.leave();
      const completing = core.store.complete(lease.key, lease.token);
      completed = isThenable(completing) ? await completing : completing;
    } catch (error) {
      completed = await completeAgain(execution, error);
    } finally {
      lease.stop();
    }
    return completed ? { status: 'processed', ran: results.length } : passedOn(execution);
  }
  lease.stop();
  if (lease.lost) return passedOn(execution);
  // A worker that is told to stop gives the event back: a deploy is no failure of the handler.
  if (stop?.aborted) return giveBack(execution, 0);
  const outcome = outcomeOfFailure(execution, results);
  if (outcome.status === 'in_progress') return giveBack(execution, outcome.retryAfterMs);
  // Only what the store says is told: an event that it had given away meanwhile has not failed here.
  return (await fail(execution, results, outcome)) ? outcome : passedOn(execution);
}

// A lost reply leaves open whether the event is done, so the store is asked again before the sender has to repeat it all;
// but not one that does not answer, since the sender waits.
async function completeAgain({ core, lease }: Execution, firstError: unknown): Promise<boolean> {
  let error = firstError;
  for (let attempt = 2; attempt <= COMPLETE_ATTEMPTS && !gaveNoAnswer(error); attempt++) {
    await sleep(COMPLETE_WAIT_MS * attempt);
    try {
      return await core.store.complete(lease.key, lease.token);
    } catch (again) {
      error = again;
    }
  }
  throw error;
}

function gaveNoAnswer(error: unknown): boolean {
  return error instanceof WebhookError && error.cause instanceof NoAnswerError;
}

// Another worker holds the event now, and decides what becomes of it.
function passedOn({ core }: Execution): InProgressOutcome {
  return { status: 'in_progress', retryAfterMs: leaseMsOf(core.store) };
}

/** What handlers come to that did not all succeed: the event is dead when none of them is left that may run. */
export function outcomeOfFailure(
  execution: Execution,
  results: readonly HandlerResult[],
): FailedOutcome | DeadOutcome | InProgressOutcome {
  const { core, claim, ended } = execution;
  const failures: HandlerFailure[] = [];
  let retryInMs = Number.POSITIVE_INFINITY;
  let waitMs: number | undefined;
  for (const result of results) {
    if (result.status === 'waiting') waitMs = Math.max(waitMs ?? 0, result.inMs);
    if (result.status !== 'failed') continue;
    failures.push({ handlerName: result.registration.name, error: result.error });
    if (!mayRunAgain(execution, result)) continue;
    const retry = retryPolicyOf(core, result.registration);
    const delayMs = retryDelayMs(result.error, claim.failures + 1, retry, core.random, core.now());
    retryInMs = Math.min(retryInMs, delayMs);
  }
  if (failures.length === 0 && waitMs !== undefined) return { status: 'in_progress', retryAfterMs: waitMs };
  const ran = results.filter((result) => result.status !== 'waiting').length;
  const failed = { ran, failures: [...ended, ...failures], failuresBefore: claim.failures };
  // A handler that waits for its lane may still succeed, where no other is to be tried again.
  if (retryInMs === Number.POSITIVE_INFINITY) retryInMs = waitMs ?? retryInMs;
  const isDead = core.policy.mayDie && retryInMs === Number.POSITIVE_INFINITY;
  return isDead ? { status: 'dead', ...failed } : { status: 'failed', ...failed, retryInMs };
}

function mayRunAgain({ core, claim }: Execution, { registration, error }: FailedResult): boolean {
  return !isNonRetryableError(error) && claim.failures + 1 < retryPolicyOf(core, registration).attempts;
}

async function fail(
  execution: Execution,
  results: readonly HandlerResult[],
  outcome: FailedOutcome | DeadOutcome,
): Promise<boolean> {
  const { core, lease, checkpoints } = execution;
  const error = outcome.failures.map((failure) => `${failure.handlerName}: ${describeError(failure.error)}`).join('\n');
  const isDead = outcome.status === 'dead';
  const next: FailOptions = isDead ? { dead: 'failed' } : nextRun(execution, outcome.retryInMs);
  let failed = true;
  // The mark is for telemetry alone: where it cannot be made, the event is dead nonetheless.
  if (isDead) await tell(execution, () => checkpoints.markDead());
  await tell(execution, async () => {
    for (const result of results) {
      if (result.status !== 'failed') continue;
      if (result.runs > 1) await checkpoints.noteRuns(result.registration, result.runs);
      const ends = core.policy.mayDie && !isDead && !mayRunAgain(execution, result);
      if (ends) await checkpoints.markEnded(result.registration, describeError(result.error));
    }
    if (!isDead) await checkpoints.beginFailures();
    failed = await core.store.fail(lease.key, lease.token, { ...next, error });
  });
  // A note that came too late says the same as `fail` would have: the event is somebody else's.
  return failed && !lease.lost;
}

async function giveBack(execution: Execution, retryAfterMs: number): Promise<InProgressOutcome> {
  const { core, lease } = execution;
  await tell(execution, () => core.store.fail(lease.key, lease.token, nextRun(execution, retryAfterMs)));
  return { status: 'in_progress', retryAfterMs };
}

function nextRun({ core }: Execution, retryInMs: number): FailOptions {
  return core.policy.delaysNextRun ? { retryInMs } : {};
}

// A store that does not hear how the run ended loses nothing: the lease runs out by itself and frees the event.
async function tell(execution: Execution, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!execution.lease.lost) execution.report(error);
  }
}

/**
 * Gives up an event whose runs end without a word.
 *
 * @throws WebhookError `store_unavailable`.
 */
export async function bury(execution: Execution): Promise<DeadOutcome | InProgressOutcome> {
  const { core, claim, lease } = execution;
  lease.stop();
  const lostRuns = claim.claims - claim.failures - 1;
  await tell(execution, () => execution.checkpoints.markDead());
  const error = new Error(`Its last ${lostRuns} runs ended without a word: each took its process down.`);
  const buried = await core.store.fail(lease.key, lease.token, { dead: 'poison', error: error.message });
  if (!buried) return passedOn(execution);
  execution.report(error);
  return { status: 'dead', ran: 0, failures: [{ handlerName: '*', error }], failuresBefore: claim.failures };
}

/**
 * Keeps an event for which there is no handler here.
 *
 * @throws WebhookError `store_unavailable`.
 */
export async function keepUnhandled(execution: Execution): Promise<Outcome> {
  const { core, lease } = execution;
  lease.stop();
  const kept = await core.store.fail(lease.key, lease.token, { dead: 'unhandled' });
  return kept ? { status: 'unhandled' } : passedOn(execution);
}
