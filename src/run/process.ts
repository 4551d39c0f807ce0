import { type Outcome, outcomeOfClaim } from '../outcome.ts';
import { logAboutEvent } from '../report/logger.ts';
import type { Noted } from '../report/observer.ts';
import type { ProcessTrace } from '../report/telemetry.ts';
import { isThenable } from '../shared/thenable.ts';
import type { AcquiredClaim, Claim } from '../store.ts';
import { wasDead } from './checkpoints.ts';
import type { Core, Job } from './core.ts';
import { startHandlers } from './dispatch.ts';
import { Execution } from './handler-run.ts';
import { leaseMsOf } from './lease.ts';
import { bury, keepUnhandled, outcomeOfFailure, record } from './record.ts';

/** The outcome to answer with, and the end of what still runs behind it. */
export interface Processing {
  readonly outcome: Outcome;
  /** Set when a handler ran past its deadline: settles when the store knows how it ended. */
  readonly recorded?: Promise<Outcome>;
}

/**
 * Claims the event, runs the handlers that have not succeeded yet, and records the outcome. The same in a request and in
 * a worker, but for what the policy says.
 *
 * @param stop - Aborts when the worker is to stop.
 * @throws WebhookError `store_unavailable`.
 */
export function processEvent(core: Core, job: Job, stop?: AbortSignal): Promise<Processing> {
  if (!core.observer.sees('process')) return claimAndRun(core, job, stop);
  const trace = traceOf(core, job);
  return core.observer.around('process', trace, async (end) => {
    try {
      const processing = await claimAndRun(core, job, stop, trace);
      const endWith = (outcome: Outcome) => {
        noteOutcome(trace, outcome, job);
        end();
      };
      // The event of a handler that is late goes on behind its reply.
      if (processing.recorded) processing.recorded.then(endWith, end);
      else endWith(processing.outcome);
      return processing;
    } catch (error) {
      end(error);
      throw error;
    }
  });
}

async function claimAndRun(
  core: Core,
  job: Job,
  stop: AbortSignal | undefined,
  trace?: Noted<ProcessTrace>,
): Promise<Processing> {
  const handlers = core.registry.match(job.event.type);
  if (handlers.length === 0 && !core.policy.keepsUnhandled) return { outcome: { status: 'unhandled' } };
  const claimedAtMs = job.held?.claimedAtMs ?? performance.now();
  const claiming = job.held?.claim ?? claimEvent(core, job);
  let claim = isThenable(claiming) ? await claiming : claiming;
  if (claim.status === 'dead' && core.policy.revivesDead) claim = await revive(core, job);
  if (claim.status !== 'acquired') return { outcome: outcomeOfClaim(claim) };
  if (trace) noteClaim(trace, claim);
  if (claim.bodyReplaced) warnOfNewBytes(core, job);
  const execution = new Execution(core, job, claim, claimedAtMs);
  if (killsProcesses(core, claim)) return { outcome: await bury(execution) };
  if (handlers.length === 0) return { outcome: await keepUnhandled(execution) };
  startHandlers(execution, handlers);
  const forgetStop = stop && stopWith(execution, stop);
  if (execution.open) {
    core.running.add(execution);
    await execution.closed();
  }
  const results = execution.results();
  if (!results.some((result) => result.status === 'failed' && result.timedOut)) {
    core.running.delete(execution);
    forgetStop?.();
    return { outcome: await record(execution, results, stop) };
  }
  // The lease is not extended any longer; it is freed when the handler settles, so that nobody runs it beside itself.
  execution.lease.stop();
  const recorded = execution.settledResults().then((final) => {
    core.running.delete(execution);
    forgetStop?.();
    return record(execution, final, stop);
  });
  return { outcome: outcomeOfFailure(execution, results), recorded };
}

function traceOf({ policy }: Core, { event, tenant, body, traceparent }: Job): Noted<ProcessTrace> {
  return {
    eventId: event.id,
    eventType: event.type,
    tenant,
    created: event.created,
    bodyBytes: body.byteLength,
    queued: !policy.retriesHere,
    traceparent,
    attempt: undefined,
    replayed: undefined,
    apiVersion: undefined,
    outcome: undefined,
    failures: undefined,
    error: undefined,
  };
}

function noteClaim(trace: Noted<ProcessTrace>, claim: AcquiredClaim): void {
  trace.attempt = claim.claims;
  trace.replayed = wasDead(claim);
}

function noteOutcome(trace: Noted<ProcessTrace>, outcome: Outcome, { event }: Job): void {
  trace.outcome = outcome.status;
  trace.apiVersion = event.apiVersion;
  if ('failures' in outcome) trace.failures = outcome.failures;
}

function claimEvent({ store }: Core, { key, bodyHash }: Job): Claim | Promise<Claim> {
  return store.claim(key, { leaseMs: leaseMsOf(store), bodyHash });
}

// The sender delivers a dead event again: somebody wants it run.
async function revive(core: Core, job: Job): Promise<Claim> {
  await core.store.revive(job.key, { steps: 'keep' });
  return claimEvent(core, job);
}

function warnOfNewBytes({ logger }: Core, { event }: Job): void {
  logAboutEvent(logger, 'warn', event, {}, 'A failed event came back with other bytes; they replace the old ones');
}

function killsProcesses({ policy }: Core, { claims, failures }: AcquiredClaim): boolean {
  return claims > failures + policy.mostLostClaims;
}

// A worker that is told to stop tells its handlers.
function stopWith(execution: Execution, stop: AbortSignal): () => void {
  const onStop = () => execution.stop(stop.reason);
  stop.addEventListener('abort', onStop);
  if (stop.aborted) onStop();
  return () => stop.removeEventListener('abort', onStop);
}
