import { isWebhookError, WebhookError } from '../errors.ts';
import { isNonRetryableError, type RetryPolicy, retryDelayMs, retryPolicy } from '../retry/retry.ts';
import { sleep } from '../shared/time.ts';
import { createContext, entityKey, signalOf, stopRun } from './context.ts';
import {
  type Core,
  type Execution,
  type HandlerResult,
  type HandlerRun,
  keepStep,
  type Registration,
} from './execution.ts';
import { keepLease, type Lease, leaseMsOf, loseLease, stopLease } from './lease.ts';

/** Starts one handler. Those of an event are started together and run side by side. */
export function startHandler(execution: Execution, registration: Registration): void {
  const { core, startedAtMs } = execution;
  const run: HandlerRun = {
    execution,
    registration,
    controller: undefined,
    stopReason: undefined,
    entities: undefined,
    effect: undefined,
    onces: undefined,
    result: undefined,
    settled: undefined,
    dueMs: startedAtMs + (registration.options.timeoutMs ?? core.handlerTimeoutMs),
    ring: reachDeadline,
    before: undefined,
    after: undefined,
  };
  execution.runs.push(run);
  core.alarms.add(run);
  run.settled = runToEnd(run);
}

function reachDeadline(this: HandlerRun): void {
  const error = new WebhookError('handler_timeout');
  stopRun(this, error);
  this.execution.core.report(error, this.execution.job.event, { handler: this.registration.id });
  close(this, { kind: 'failed', registration: this.registration, runs: 1, error, timedOut: true });
}

// The first word counts: a handler that settles after its deadline does not undo that it was late.
function close(run: HandlerRun, result: HandlerResult): void {
  if (run.result) return;
  run.result = result;
  const { execution } = run;
  if (--execution.open === 0) execution.wake?.();
}

async function runToEnd(run: HandlerRun): Promise<HandlerResult> {
  const { registration, execution } = run;
  const { serialBy, transaction } = registration.options;
  const guarded = serialBy !== undefined || transaction;
  const earlier = earlierRuns(execution, registration);
  for (let runs = 1; ; runs++) {
    run.entities = undefined;
    run.effect = undefined;
    run.onces = undefined;
    try {
      const running = guarded ? runGuarded(run, earlier + runs) : runPlain(run, earlier + runs);
      const inMs = running && (await running);
      if (inMs !== undefined) return settle(run, { kind: 'waiting', registration, runs: 0, inMs });
      return settle(run, { kind: 'done', registration, runs });
    } catch (error) {
      reportRun(run, error, earlier + runs);
      if (!(await mayRunAgain(run, error, runs))) return settle(run, { kind: 'failed', registration, runs, error });
    }
  }
}

/** Runs the handler once; without a wait if it has none and nothing is to be remembered. */
function runPlain(run: HandlerRun, attempt: number): Promise<undefined> | undefined {
  const { registration, execution } = run;
  const returned = registration.handler(execution.job.event, createContext(run, attempt, undefined));
  return isThenable(returned) ? Promise.resolve(returned).then(() => succeed(run)) : succeed(run);
}

function succeed(run: HandlerRun): Promise<undefined> | undefined {
  const { execution } = run;
  execution.pending--;
  return run.entities || execution.pending > 0 ? rememberSuccess(run) : undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function reportRun({ execution, registration }: HandlerRun, error: unknown, attempt: number): void {
  // Told at the deadline already, when the handler heeded its signal.
  if (isWebhookError(error, 'handler_timeout')) return;
  execution.core.report(error, execution.job.event, { handler: registration.id, attempt });
}

function settle(run: HandlerRun, result: HandlerResult): HandlerResult {
  run.execution.core.alarms.remove(run);
  close(run, result);
  return result;
}

async function mayRunAgain(run: HandlerRun, error: unknown, runs: number): Promise<boolean> {
  const { core } = run.execution;
  const policy = policyOf(core, run.registration);
  // A queue makes the attempts: this claim's is spent.
  if (!core.inRequest || runs >= policy.attempts || run.stopReason !== undefined) return false;
  if (isNonRetryableError(error)) return false;
  const delayMs = retryDelayMs(error, runs, policy, core.random, core.now());
  // Waiting for a moment beyond the deadline would only delay the reply.
  return performance.now() + delayMs < run.dueMs && slept(delayMs, run);
}

/** The handler's own retry options over the receiver's. */
export function policyOf(core: Core, { options }: Registration): RetryPolicy {
  return options.retry ? retryPolicy(options.retry, core.retry) : core.retry;
}

async function slept(delayMs: number, run: HandlerRun): Promise<boolean> {
  return sleep(delayMs, signalOf(run)).then(
    () => true,
    () => false,
  );
}

// A claim is one run, and those that a request made beyond it are kept as steps of their own.
function earlierRuns({ claim, steps }: Execution, registration: Registration): number {
  if (claim.claims === 1) return 0;
  const prefix = `${registration.id}/~`;
  let runs = claim.claims - 1;
  for (const step of Object.keys(steps)) if (step.startsWith(prefix)) runs += Number(steps[step]);
  return runs;
}

/** The checkpoint that remembers how often a handler ran within one claim. */
export function extraRunsStep({ claim }: Execution, registration: Registration): string {
  return `${registration.id}/~${claim.claims}`;
}

/** Runs the handler once, in its lane and its transaction; a number is how long to wait for the lane. */
async function runGuarded(run: HandlerRun, attempt: number): Promise<number | undefined> {
  const { registration, execution } = run;
  const { serialBy } = registration.options;
  if (!serialBy) return runInTransaction(run, attempt);
  const lane = await enterLane(run, serialBy(execution.job.event));
  if (typeof lane === 'number') return lane;
  try {
    return await (registration.options.transaction ? runInTransaction(run, attempt) : runPlain(run, attempt));
  } finally {
    await leaveLane(run, lane);
  }
}

// The handler has succeeded: a store that fails now must not make it run again within this claim.
async function rememberSuccess(run: HandlerRun): Promise<undefined> {
  const { core, lease, job } = run.execution;
  try {
    for (const entity of run.entities ?? []) await core.store.advance(entityKey(run, entity), job.event.created);
    // The last handler needs none: completing the event follows at once.
    if (run.execution.pending === 0) return;
    if ((await core.store.checkpoint(lease.key, lease.token, run.registration.id, '')) === 'lost') loseLease(lease);
  } catch (error) {
    core.report(new WebhookError('store_unavailable', { cause: error }), job.event, { handler: run.registration.id });
  }
}

async function runInTransaction(run: HandlerRun, attempt: number): Promise<undefined> {
  const { core, job } = run.execution;
  const { store } = core;
  if (!store.transaction) throw new TypeError('The store has no transactions.');
  if (store.transactions === 'sync') {
    await run.registration.handler(job.event, createContext(run, attempt, undefined));
    await store.transaction(async (tx) => {
      run.effect?.(tx);
      await markInTransaction(run, tx);
    });
  } else {
    await store.transaction(async (tx) => {
      await run.registration.handler(job.event, createContext(run, attempt, tx));
      await markInTransaction(run, tx);
    });
  }
  run.execution.pending--;
  return undefined;
}

// Whatever throws here rolls the effects back with the marks.
async function markInTransaction(run: HandlerRun, tx: unknown): Promise<void> {
  const { core, job, lease } = run.execution;
  for (const entity of run.entities ?? []) {
    const newest = await core.store.advance(entityKey(run, entity), job.event.created, tx);
    if (!newest) throw new Error('A newer event of the entity was applied meanwhile; this one is looked at again.');
  }
  const marked = await core.store.checkpoint(lease.key, lease.token, run.registration.id, '', tx);
  if (marked === 'lost') throw loseLease(lease);
  keepStep(run.execution, run.registration.id, '');
}

const LANE_POLL_MS = 50;
const LANE_RETRY_MS = 200;

async function enterLane(run: HandlerRun, lane: string): Promise<number | Lease> {
  const { core, job } = run.execution;
  const key = `lane\n${job.tenant ?? ''}\n${run.registration.id}\n${lane}`;
  for (;;) {
    const claimedAtMs = performance.now();
    const claim = await core.store.claim(key, { leaseMs: leaseMsOf(core.store), bodyHash: '' });
    if (claim.status === 'acquired') {
      const { token } = claim;
      return keepLease(core.store, core.alarms, { key, token, claimedAtMs }, (error) => stopRun(run, error));
    }
    // A worker has other events to run meanwhile; a request has not.
    const waits = core.inRequest && performance.now() + LANE_POLL_MS < run.dueMs;
    if (!waits || !(await slept(LANE_POLL_MS, run))) return LANE_RETRY_MS;
  }
}

// Nothing is lost when this fails: the lane frees itself when its lease ends.
async function leaveLane(run: HandlerRun, lane: Lease): Promise<void> {
  const { core, job } = run.execution;
  stopLease(lane);
  try {
    await core.store.fail(lane.key, lane.token, {});
  } catch (cause) {
    core.report(new WebhookError('store_unavailable', { cause }), job.event, { handler: run.registration.id });
  }
}
