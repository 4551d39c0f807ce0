import { createContext, entityKey, signalOf, stopRun } from './context.ts';
import { isWebhookError, WebhookError } from './errors.ts';
import { type Core, type Execution, type HandlerRun, keepStep, type Registration } from './execution.ts';
import { keepLease, type Lease, leaseMsOf, loseLease, stopLease } from './lease.ts';
import { isNonRetryableError, type RetryPolicy, retryDelayMs, retryPolicy, sleep } from './retry.ts';

export type HandlerResult =
  | { readonly kind: 'done'; readonly registration: Registration; readonly runs: number }
  | {
      readonly kind: 'failed';
      readonly registration: Registration;
      readonly runs: number;
      readonly error: unknown;
      /** The deadline passed; the handler may still be running. */
      readonly timedOut?: boolean;
    }
  /** Another event holds the lane. */
  | { readonly kind: 'waiting'; readonly registration: Registration; readonly runs: 0; readonly inMs: number };

export interface StartedHandler extends HandlerRun {
  /** When the handler settled or reached its deadline, whichever came first. */
  readonly early: Promise<HandlerResult>;
  resolveEarly: (result: HandlerResult) => void;
  /** When the handler settled. Neither rejects. */
  settled: Promise<HandlerResult>;
}

/** Starts one handler. Those of an event are started together and run side by side. */
export function startHandler(execution: Execution, registration: Registration): StartedHandler {
  const { core, startedAtMs } = execution;
  let resolveEarly: StartedHandler['resolveEarly'] = () => undefined;
  const early = new Promise<HandlerResult>((resolve) => {
    resolveEarly = resolve;
  });
  const run: StartedHandler = {
    execution,
    registration,
    controller: undefined,
    stopReason: undefined,
    entities: undefined,
    effect: undefined,
    onces: undefined,
    early,
    resolveEarly,
    settled: early,
    dueMs: startedAtMs + (registration.options.timeoutMs ?? core.handlerTimeoutMs),
    ring: reachDeadline,
  };
  core.alarms.add(run);
  run.settled = runToEnd(run);
  return run;
}

function reachDeadline(this: StartedHandler): void {
  const error = new WebhookError('handler_timeout');
  stopRun(this, error);
  this.execution.core.report(error, this.execution.job.event, { handler: this.registration.id });
  this.resolveEarly({ kind: 'failed', registration: this.registration, runs: 1, error, timedOut: true });
}

async function runToEnd(run: StartedHandler): Promise<HandlerResult> {
  const { registration, execution } = run;
  const { serialBy, transaction } = registration.options;
  const earlier = earlierRuns(execution, registration);
  for (let runs = 1; ; runs++) {
    run.entities = undefined;
    run.effect = undefined;
    run.onces = undefined;
    try {
      if (serialBy || transaction) {
        const inMs = await runGuarded(run, earlier + runs);
        if (inMs !== undefined) return settle(run, { kind: 'waiting', registration, runs: 0, inMs });
      } else {
        await registration.handler(execution.job.event, createContext(run, earlier + runs, undefined));
        execution.pending--;
        if (run.entities || execution.pending > 0) await rememberSuccess(run);
      }
      return settle(run, { kind: 'done', registration, runs });
    } catch (error) {
      reportRun(run, error, earlier + runs);
      if (!(await mayRunAgain(run, error, runs))) return settle(run, { kind: 'failed', registration, runs, error });
    }
  }
}

function reportRun({ execution, registration }: StartedHandler, error: unknown, attempt: number): void {
  // Told at the deadline already, when the handler heeded its signal.
  if (isWebhookError(error, 'handler_timeout')) return;
  execution.core.report(error, execution.job.event, { handler: registration.id, attempt });
}

function settle(run: StartedHandler, result: HandlerResult): HandlerResult {
  run.execution.core.alarms.remove(run);
  run.resolveEarly(result);
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
  if (!serialBy) return runUnguarded(run, attempt);
  const lane = await enterLane(run, serialBy(execution.job.event));
  if (typeof lane === 'number') return lane;
  try {
    return await runUnguarded(run, attempt);
  } finally {
    await leaveLane(run, lane);
  }
}

async function runUnguarded(run: HandlerRun, attempt: number): Promise<undefined> {
  const { registration, execution } = run;
  if (registration.options.transaction) return runInTransaction(run, attempt);
  await registration.handler(execution.job.event, createContext(run, attempt, undefined));
  execution.pending--;
  if (run.entities || execution.pending > 0) await rememberSuccess(run);
  return undefined;
}

// The handler has succeeded: a store that fails now must not make it run again within this claim.
async function rememberSuccess(run: HandlerRun): Promise<void> {
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
