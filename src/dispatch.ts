import type { Alarm, Alarms } from './alarms.ts';
import { createContext, entityKey, type HandlerRun, signalOf, stopRun } from './context.ts';
import { LeaseLostError, WebhookError } from './errors.ts';
import type { ReceivedWebhookEvent } from './events/index.ts';
import { keepLease, type Lease, leaseMsOf } from './lease.ts';
import type { WebhookLogger } from './logger.ts';
import type { Registration, Registry } from './registry.ts';
import { isNonRetryableError, type RetryPolicy, retryDelayMs, retryPolicy, sleep } from './retry.ts';
import type { Claim, WebhookStore } from './store.ts';

/** What every run needs and no run changes. */
export interface Core {
  readonly store: WebhookStore;
  readonly registry: Registry;
  readonly alarms: Alarms;
  readonly logger: WebhookLogger;
  readonly handlerTimeoutMs: number;
  readonly retry: RetryPolicy;
  /** Attempts are made within the request; else a queue makes them. */
  readonly inRequest: boolean;
  readonly now: () => number;
  readonly random: () => number;
  /** Logs a failed run and tells `onError`. */
  report(error: unknown, event: ReceivedWebhookEvent, fields: object): void;
}

/** One verified event to be processed. */
export interface Job {
  readonly event: ReceivedWebhookEvent;
  readonly tenant: string | undefined;
  readonly key: string;
  readonly body: Uint8Array;
  readonly bodyHash: string;
}

/** A claimed event with what its handlers share. */
export interface Execution {
  readonly core: Core;
  readonly job: Job;
  readonly claim: Extract<Claim, { status: 'acquired' }>;
  /** Checkpoints: those of the claim, and those made since. */
  readonly steps: Record<string, string>;
  readonly lease: Lease;
  readonly startedAtMs: number;
  /** Handlers that have not succeeded yet, in this claim. */
  pending: number;
}

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

export interface StartedHandler {
  readonly run: HandlerRun;
  /** When the handler settled or reached its deadline, whichever came first. */
  readonly early: Promise<HandlerResult>;
  /** When the handler settled. Neither rejects. */
  readonly settled: Promise<HandlerResult>;
}

/** Starts one handler. Those of an event are started together and run side by side. */
export function startHandler(execution: Execution, registration: Registration): StartedHandler {
  const { core, startedAtMs, lease } = execution;
  const run: HandlerRun = {
    execution,
    registration,
    controller: undefined,
    stopReason: undefined,
    entities: undefined,
    effect: undefined,
  };
  const deadlineMs = startedAtMs + (registration.options.timeoutMs ?? core.handlerTimeoutMs);
  lease.onLost((error) => stopRun(run, error));
  const settled = runToEnd(run, deadlineMs);
  const early = new Promise<HandlerResult>((resolve) => {
    const deadline: Alarm = {
      dueMs: deadlineMs,
      ring() {
        const error = new WebhookError('handler_timeout');
        stopRun(run, error);
        resolve({ kind: 'failed', registration, runs: 1, error, timedOut: true });
      },
    };
    core.alarms.add(deadline);
    settled.then((result) => {
      core.alarms.remove(deadline);
      resolve(result);
    });
  });
  return { run, early, settled };
}

async function runToEnd(run: HandlerRun, deadlineMs: number): Promise<HandlerResult> {
  const { registration, execution } = run;
  const { core, job } = execution;
  const policy = policyOf(core, registration);
  const attempts = core.inRequest ? policy.attempts : 1;
  const earlier = earlierRuns(execution, registration);
  for (let runs = 1; ; runs++) {
    try {
      const waitMs = await runOnce(run, earlier + runs, deadlineMs);
      if (waitMs !== undefined) return { kind: 'waiting', registration, runs: 0, inMs: waitMs };
      return { kind: 'done', registration, runs };
    } catch (error) {
      core.report(error, job.event, { handler: registration.id, attempt: earlier + runs });
      const delayMs = retryDelayMs(error, runs, policy, core.random, core.now());
      // Waiting for a moment beyond the deadline would only delay the reply.
      const inTime = performance.now() + delayMs < deadlineMs;
      const again = runs < attempts && inTime && run.stopReason === undefined && !isNonRetryableError(error);
      if (!again || !(await slept(delayMs, run))) return { kind: 'failed', registration, runs, error };
    }
  }
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

/** Runs the handler once; a number is how long to wait for its lane. */
async function runOnce(run: HandlerRun, attempt: number, deadlineMs: number): Promise<number | undefined> {
  const { registration, execution } = run;
  const { serialBy, transaction } = registration.options;
  run.entities = undefined;
  run.effect = undefined;
  if (!serialBy) return transaction ? runInTransaction(run, attempt) : runPlain(run, attempt);
  const lane = await enterLane(run, serialBy(execution.job.event), deadlineMs);
  if (typeof lane === 'number') return lane;
  try {
    await (transaction ? runInTransaction(run, attempt) : runPlain(run, attempt));
    return undefined;
  } finally {
    await lane.leave();
  }
}

async function runPlain(run: HandlerRun, attempt: number): Promise<undefined> {
  const { registration, execution } = run;
  const { core, job } = execution;
  await registration.handler(job.event, createContext(run, attempt, undefined));
  execution.pending--;
  if (run.entities || execution.pending > 0) await rememberSuccess(run, core);
  return undefined;
}

// The handler has succeeded: a store that fails now must not make it run again within this claim.
async function rememberSuccess(run: HandlerRun, core: Core): Promise<void> {
  const { lease, job } = run.execution;
  try {
    for (const entity of run.entities ?? []) await core.store.advance(entityKey(run, entity), job.event.created);
    // The last handler needs none: completing the event follows at once.
    if (run.execution.pending === 0) return;
    if ((await core.store.checkpoint(lease.key, lease.token, run.registration.id, '')) === 'lost') lease.lose();
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
  const { core, job, lease, steps } = run.execution;
  for (const entity of run.entities ?? []) {
    const newest = await core.store.advance(entityKey(run, entity), job.event.created, tx);
    if (!newest) throw new Error('A newer event of the entity was applied meanwhile; this one is looked at again.');
  }
  const marked = await core.store.checkpoint(lease.key, lease.token, run.registration.id, '', tx);
  if (marked === 'lost') {
    lease.lose();
    throw lease.lost ?? new LeaseLostError();
  }
  steps[run.registration.id] = '';
}

const LANE_POLL_MS = 50;

async function enterLane(
  run: HandlerRun,
  lane: string,
  deadlineMs: number,
): Promise<number | { leave(): Promise<void> }> {
  const { core, job } = run.execution;
  const key = `lane\n${job.tenant ?? ''}\n${run.registration.id}\n${lane}`;
  for (;;) {
    const claim = await core.store.claim(key, { leaseMs: leaseMsOf(core.store), bodyHash: '' });
    if (claim.status === 'acquired') return holdLane(run, key, claim.token);
    const waitMs = claim.status === 'busy' ? Math.min(claim.retryAfterMs, LANE_POLL_MS) : LANE_POLL_MS;
    const inTime = core.inRequest && performance.now() + waitMs < deadlineMs;
    // A worker has other events to run meanwhile; a request has not.
    if (!inTime || !(await slept(waitMs, run))) return waitMs * 4;
  }
}

function holdLane(run: HandlerRun, key: string, token: string): { leave(): Promise<void> } {
  const { core, job } = run.execution;
  const lease = keepLease(core.store, core.alarms, key, token, performance.now());
  lease.onLost((error) => stopRun(run, error));
  return {
    async leave() {
      lease.stop();
      // Nothing is lost when this fails: the lane frees itself when its lease ends.
      await core.store.fail(key, token, {}).catch((error) => core.report(error, job.event, { lane: key }));
    },
  };
}
