import { WebhookError } from '../errors.ts';
import { logAboutEvent } from '../report/logger.ts';
import { isNonRetryableError, retryDelayMs } from '../retry/retry.ts';
import { describeError } from '../shared/text.ts';
import { sleep, within } from '../shared/time.ts';
import type { Claim } from '../store.ts';
import { stopRun } from './context.ts';
import { extraRunsStep, policyOf, startHandler } from './dispatch.ts';
import type { Core, Execution, HandlerResult, HandlerRun, Job, Registration } from './execution.ts';
import { keepLease, leaseEndMs, leaseMsOf, stopLease } from './lease.ts';

/** A handler that failed, and with what. */
export interface HandlerFailure {
  readonly handlerName: string;
  readonly error: unknown;
}

/** What became of an event in this call. */
export type Processed =
  | { readonly status: 'processed'; readonly ran: number }
  | {
      readonly status: 'failed';
      readonly ran: number;
      readonly failures: readonly HandlerFailure[];
      /** Failed for good. */
      readonly dead: boolean;
      /** Failures of earlier claims. */
      readonly failuresBefore: number;
      readonly retryInMs: number;
    }
  | { readonly status: 'unhandled' | 'duplicate' | 'dead' }
  | { readonly status: 'conflict' }
  /** Another worker holds the event or a lane of it, or took it over. */
  | { readonly status: 'busy'; readonly retryAfterMs: number };

/** The outcome to answer with, and the end of what still runs behind it. */
export interface Processing {
  readonly outcome: Processed;
  /** Set when a handler ran past its deadline: settles when the store knows how it ended. */
  readonly recorded?: Promise<Processed>;
}

// A payload that kills its process never gets to count a failure; deploys that do are no fault of the payload.
const MOST_LOST_CLAIMS = 10;
const COMPLETE_ATTEMPTS = 3;
const COMPLETE_WAIT_MS = 50;

/**
 * Claims the event, runs the handlers that have not succeeded yet, and records the outcome. The same in a request and in
 * a worker.
 *
 * @throws WebhookError `store_unavailable`.
 */
export async function processEvent(core: Core, job: Job, stop?: AbortSignal): Promise<Processing> {
  const handlers = core.registry.match(job.event.type);
  // A queue holds the event and has to hear that it is done.
  if (handlers.length === 0 && core.inRequest) return { outcome: { status: 'unhandled' } };
  const startedAtMs = performance.now();
  let claim: Claim;
  try {
    claim = await core.store.claim(job.key, { leaseMs: leaseMsOf(core.store), bodyHash: job.bodyHash });
  } catch (cause) {
    throw new WebhookError('store_unavailable', { cause });
  }
  if (claim.status === 'dead' && core.inRequest) claim = await revive(core, job);
  if (claim.status !== 'acquired') return { outcome: notAcquired(claim) };
  const execution = takeUp(core, job, claim, startedAtMs);
  if (!core.inRequest && claim.claims > claim.failures + MOST_LOST_CLAIMS) return { outcome: await bury(execution) };
  if (handlers.length === 0) return { outcome: await finishUnhandled(execution) };
  startAll(execution, handlers);
  const forgetStop = stop && stopWith(execution, stop);
  if (execution.open > 0) await new Promise<void>((resolve) => (execution.wake = resolve));
  const results = resultsOf(execution);
  if (!results.some((result) => result.kind === 'failed' && result.timedOut)) {
    forgetStop?.();
    return { outcome: await conclude(execution, results, stop) };
  }
  // Not extended any longer; freed when the handler settles, so that nobody runs it beside itself.
  stopLease(execution.lease);
  const recorded = settleLate(execution).then((final) => {
    forgetStop?.();
    return conclude(execution, final, stop);
  });
  return { outcome: failed(execution, results), recorded };
}

// The sender delivers a dead event again: somebody wants it run.
async function revive({ store }: Core, { key, bodyHash }: Job): Promise<Claim> {
  try {
    await store.revive(key, { steps: 'keep' });
    return await store.claim(key, { leaseMs: leaseMsOf(store), bodyHash });
  } catch (cause) {
    throw new WebhookError('store_unavailable', { cause });
  }
}

function takeUp(core: Core, job: Job, claim: Execution['claim'], startedAtMs: number): Execution {
  const { token, steps, bodyReplaced } = claim;
  if (bodyReplaced) {
    const message = 'A failed event came back with other bytes; they replace the old ones';
    logAboutEvent(core.logger, 'warn', job.event, {}, message);
  }
  const runs: HandlerRun[] = [];
  const held = { key: job.key, token, claimedAtMs: startedAtMs };
  const lease = keepLease(core.store, core.alarms, held, (error) => stopAll(runs, error));
  return { core, job, claim, steps, lease, startedAtMs, runs, pending: 0, open: 0, wake: undefined };
}

function startAll(execution: Execution, handlers: readonly Registration[]): void {
  const { claim, steps } = execution;
  // Not by `claims`: a revival starts those anew, and keeps the steps.
  const left = claim.attempt === 1 ? handlers : handlers.filter((handler) => !(handler.id in steps));
  execution.pending = left.length;
  execution.open = left.length;
  for (const handler of left) startHandler(execution, handler);
}

// A worker that is told to stop tells its handlers.
function stopWith({ runs }: Execution, stop: AbortSignal): () => void {
  const onStop = () => stopAll(runs, stop.reason);
  stop.addEventListener('abort', onStop);
  if (stop.aborted) onStop();
  return () => stop.removeEventListener('abort', onStop);
}

function notAcquired(claim: Exclude<Claim, { status: 'acquired' }>): Processed {
  if (claim.status === 'done') return { status: 'duplicate' };
  return claim;
}

function stopAll(runs: readonly HandlerRun[], reason: unknown): void {
  for (const run of runs) stopRun(run, reason);
}

function resultsOf({ runs }: Execution): HandlerResult[] {
  const results: HandlerResult[] = [];
  for (const { result } of runs) if (result) results.push(result);
  return results;
}

// How each handler ended, or for those that outlive the lease, that their deadline passed.
async function settleLate(execution: Execution): Promise<HandlerResult[]> {
  const { runs, lease } = execution;
  const leftMs = leaseEndMs(lease) - performance.now();
  const settling = runs.map(async (run) => {
    if (run.settled) run.result = await within(leftMs, run.settled, () => run.result);
  });
  await Promise.all(settling);
  return resultsOf(execution);
}

async function finishUnhandled(execution: Execution): Promise<Processed> {
  const outcome = await conclude(execution, []);
  return outcome.status === 'processed' ? { status: 'unhandled' } : outcome;
}

async function conclude(
  execution: Execution,
  results: readonly HandlerResult[],
  stop?: AbortSignal,
): Promise<Processed> {
  const { core, lease } = execution;
  if (results.every((result) => result.kind === 'done')) {
    let completed: boolean;
    try {
      completed = await core.store.complete(lease.key, lease.token);
    } catch {
      completed = await completeAgain(execution);
    }
    stopLease(lease);
    return completed ? { status: 'processed', ran: results.length } : passedOn(core);
  }
  stopLease(lease);
  if (lease.lost) return passedOn(core);
  // A worker that is told to stop gives the event back: a deploy is no failure of the handler.
  const outcome: Processed = stop?.aborted ? { status: 'busy', retryAfterMs: 0 } : failed(execution, results);
  if (outcome.status === 'failed') await recordFailure(execution, outcome, results);
  else if (outcome.status === 'busy') await release(execution, outcome.retryAfterMs);
  return outcome;
}

// Whoever holds the event now decides what becomes of it.
function passedOn(core: Core): Processed {
  return { status: 'busy', retryAfterMs: leaseMsOf(core.store) };
}

// A lost reply leaves open whether it is done, so the same is asked again before the sender has to repeat it all.
async function completeAgain({ core, lease }: Execution): Promise<boolean> {
  for (let attempt = 2; ; attempt++) {
    await sleep(COMPLETE_WAIT_MS * attempt);
    try {
      return await core.store.complete(lease.key, lease.token);
    } catch (cause) {
      if (attempt < COMPLETE_ATTEMPTS) continue;
      stopLease(lease);
      throw new WebhookError('store_unavailable', { cause });
    }
  }
}

function failed({ core, claim }: Execution, results: readonly HandlerResult[]): Processed {
  const failures: HandlerFailure[] = [];
  let retryInMs = Number.POSITIVE_INFINITY;
  let waitMs = 0;
  for (const result of results) {
    if (result.kind === 'waiting') waitMs = Math.max(waitMs, result.inMs);
    if (result.kind !== 'failed') continue;
    failures.push({ handlerName: result.registration.name, error: result.error });
    const policy = policyOf(core, result.registration);
    if (isNonRetryableError(result.error) || claim.failures + 1 >= policy.attempts) continue;
    const delayMs = retryDelayMs(result.error, claim.failures + 1, policy, core.random, core.now());
    retryInMs = Math.min(retryInMs, delayMs);
  }
  if (failures.length === 0) return { status: 'busy', retryAfterMs: waitMs };
  const ran = results.filter((result) => result.kind !== 'waiting').length;
  // Without a queue nothing is ever dead: the sender's next delivery is the retry.
  const dead = !core.inRequest && retryInMs === Number.POSITIVE_INFINITY;
  return { status: 'failed', ran, failures, dead, failuresBefore: claim.failures, retryInMs };
}

async function recordFailure(
  execution: Execution,
  outcome: Extract<Processed, { status: 'failed' }>,
  results: readonly HandlerResult[],
): Promise<void> {
  const { core, job, lease } = execution;
  const error = outcome.failures.map((failure) => `${failure.handlerName}: ${describeError(failure.error)}`).join('\n');
  try {
    for (const result of results) {
      if (result.kind === 'failed' && result.runs > 1) await keepExtraRuns(execution, result.registration, result.runs);
    }
    const retryInMs = core.inRequest || outcome.dead ? undefined : outcome.retryInMs;
    await core.store.fail(lease.key, lease.token, { retryInMs, dead: outcome.dead, error });
  } catch (cause) {
    // The lease runs out by itself and frees the event.
    core.report(new WebhookError('store_unavailable', { cause }), job.event, {});
  }
}

async function keepExtraRuns(execution: Execution, registration: Registration, runs: number): Promise<void> {
  const { core, lease } = execution;
  await core.store.checkpoint(lease.key, lease.token, extraRunsStep(execution, registration), String(runs - 1));
}

async function release({ core, job, lease }: Execution, retryInMs: number): Promise<void> {
  try {
    await core.store.fail(lease.key, lease.token, core.inRequest ? {} : { retryInMs });
  } catch (cause) {
    core.report(new WebhookError('store_unavailable', { cause }), job.event, {});
  }
}

async function bury(execution: Execution): Promise<Processed> {
  const { core, claim, lease } = execution;
  stopLease(lease);
  const error = new Error(
    `Its last ${claim.claims - claim.failures - 1} runs ended without a word: each took its process down.`,
  );
  try {
    await core.store.fail(lease.key, lease.token, { dead: true, error: error.message });
  } catch (cause) {
    throw new WebhookError('store_unavailable', { cause });
  }
  const failures = [{ handlerName: '*', error }];
  return { status: 'failed', ran: 0, failures, dead: true, failuresBefore: claim.failures, retryInMs: 0 };
}
