import { isWebhookError } from '../errors.ts';
import type { ReceivedWebhookEvent } from '../events/index.ts';
import { isNonRetryableError } from '../retry/errors.ts';
import { type RetryPolicy, retryDelayMs, retryPolicy } from '../retry/policy.ts';
import { atOnce } from '../shared/guard.ts';
import { isThenable } from '../shared/thenable.ts';
import { Attempt } from './attempt.ts';
import { callHandler } from './context.ts';
import type { Core } from './core.ts';
import { runInLane, runInTransaction } from './guards.ts';
import type { Execution, HandlerRun } from './handler-run.ts';
import type { HandlerResult, Registration } from './handler-types.ts';

/** Starts the handlers of an event that have not succeeded yet, to run side by side. */
export function startHandlers(execution: Execution, registrations: readonly Registration[]): void {
  execution.start(registrations, runToEnd);
}

/** The handler's own retry options over the receiver's. */
export function retryPolicyOf(core: Core, { options }: Registration): RetryPolicy {
  return options.retry ? retryPolicy(options.retry, core.retry) : core.retry;
}

async function runToEnd(run: HandlerRun): Promise<HandlerResult> {
  const { registration, execution } = run;
  const earlier = execution.checkpoints.runsBefore(registration);
  for (let runs = 1; ; runs++) {
    try {
      // A handler that does not wait, and of which nothing is to be remembered, ends without a wait.
      const running = runGuarded(run, earlier + runs);
      const inMs = running && (await running);
      if (inMs !== undefined) return run.end({ status: 'waiting', registration, runs: 0, inMs });
      return run.end({ status: 'succeeded', registration, runs });
    } catch (error) {
      reportAttempt(run, error, earlier + runs);
      if (!(await mayRunAgain(run, error, runs))) return run.end({ status: 'failed', registration, runs, error });
    }
  }
}

/** Runs the handler once, with an event of its own, and in its lane if it has one; a number is how long to wait for that. */
function runGuarded(run: HandlerRun, number: number): Promise<number | undefined> | undefined {
  const event = run.execution.job.event.forRun();
  return event instanceof Promise ? event.then((own) => runWith(run, number, own)) : runWith(run, number, event);
}

function runWith(
  run: HandlerRun,
  number: number,
  event: ReceivedWebhookEvent,
): Promise<number | undefined> | undefined {
  const { serialBy } = run.registration.options;
  if (!serialBy) return runOnce(run, number, event);
  const lane = atOnce(serialBy(event));
  if (typeof lane !== 'string') throw new TypeError('`serialBy` must return a string.');
  return runInLane(run, lane, () => runOnce(run, number, event));
}

function runOnce(run: HandlerRun, number: number, event: ReceivedWebhookEvent): Promise<undefined> | undefined {
  return run.execution.core.observer.sees('handler')
    ? runObserved(run, number, event)
    : runUnobserved(run, number, event);
}

function runObserved(run: HandlerRun, number: number, event: ReceivedWebhookEvent): Promise<undefined> | undefined {
  const { core, job } = run.execution;
  const { id: eventId, type: eventType } = job.event;
  const { name: handlerName } = run.registration;
  const trace = { eventId, eventType, tenant: job.tenant, handlerName, attempt: number, error: undefined };
  return core.observer.around('handler', trace, (end) => {
    // A handler that hangs is told of at its deadline. One that throws nothing has failed all the same.
    run.whenLate = end;
    const fail = (error: unknown) => end(error === undefined ? new Error('The handler threw undefined.') : error);
    try {
      const running = runUnobserved(run, number, event);
      if (!running) end();
      return running?.then(
        () => void end(),
        (error) => {
          fail(error);
          throw error;
        },
      );
    } catch (error) {
      fail(error);
      throw error;
    }
  });
}

function runUnobserved(run: HandlerRun, number: number, event: ReceivedWebhookEvent): Promise<undefined> | undefined {
  return run.registration.options.transaction ? runInTransaction(run, number, event) : runPlain(run, number, event);
}

function runPlain(run: HandlerRun, number: number, event: ReceivedWebhookEvent): Promise<undefined> | undefined {
  const attempt = new Attempt(run, number, event);
  const returned = callHandler(attempt);
  return isThenable(returned) ? Promise.resolve(returned).then(() => succeed(attempt)) : succeed(attempt);
}

function succeed(attempt: Attempt): Promise<undefined> | undefined {
  const { execution } = attempt.run;
  execution.countSuccess();
  // The last handler to succeed needs no mark: the event is completed at once.
  const marked = !execution.succeeded;
  return marked || attempt.hasEntities ? rememberSuccess(attempt, marked) : undefined;
}

async function rememberSuccess(attempt: Attempt, marked: boolean): Promise<undefined> {
  const { execution, registration } = attempt.run;
  try {
    await attempt.advanceEntities();
    if (marked) await execution.checkpoints.markDone(registration);
  } catch (error) {
    // The handler has succeeded: a store that fails now must not make it run again within this claim.
    if (!execution.lease.lost) execution.report(error, { handler: registration.id });
  }
}

function reportAttempt({ execution, registration }: HandlerRun, error: unknown, attempt: number): void {
  // A handler that heeds its signal throws what was reported at the deadline already.
  if (isWebhookError(error, 'handler_timeout')) return;
  execution.report(error, { handler: registration.id, attempt });
}

async function mayRunAgain(run: HandlerRun, error: unknown, runs: number): Promise<boolean> {
  const { core } = run.execution;
  const retry = retryPolicyOf(core, run.registration);
  if (!core.policy.retriesHere || runs >= retry.attempts || run.stopped) return false;
  if (isNonRetryableError(error)) return false;
  const delayMs = retryDelayMs(error, runs, retry, core.random, core.now());
  // Waiting for a moment beyond the deadline would only delay the reply.
  return performance.now() + delayMs < run.dueMs && run.wait(delayMs);
}
