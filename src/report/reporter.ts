import { isWebhookError, WebhookError } from '../errors.ts';
import type { WebhookHandlerOptions } from '../options.ts';
import type { DeadOutcome, FailedOutcome, Outcome, WebhookResult } from '../outcome.ts';
import type { SignedEvent } from '../run/signed-event.ts';
import { guarded, unheeded } from '../shared/guard.ts';
import { publishRejected } from './channels.ts';
import { logAboutEvent, type WebhookLogger } from './logger.ts';
import type { WebhookMetrics } from './metrics.ts';

/** Tells the logger, the metrics, `onError` and the error handler what they asked to hear. Never throws. */
export interface Reporter {
  /** A delivery is refused: the error of the reply table that says why. */
  refuse(error: unknown, log: WebhookLogger): WebhookError;
  /** A delivery that was verified is refused, or departs from its schema. */
  tell(error: unknown, event: SignedEvent | undefined, log: WebhookLogger): void;
  /** A handler failed once. */
  failedRun(error: unknown, event: SignedEvent, fields: object): void;
  /** An event was handed to the queue, or is known there. */
  tellQueued(result: WebhookResult): void;
  /** An event has an outcome; what is returned is still to be waited for. */
  tellOutcome(event: SignedEvent, outcome: Outcome, startedAtMs: number): Promise<void> | undefined;
}

export function createReporter(
  { onError, errorHandler, queue }: WebhookHandlerOptions,
  metrics: WebhookMetrics,
  logger: WebhookLogger,
): Reporter {
  function callOnError(error: unknown, event: SignedEvent | undefined): void {
    const failed = (err: unknown) => logAboutEvent(logger, 'error', event, { err }, 'onError failed');
    unheeded(() => onError?.(error, event?.forHook()), failed);
  }

  function tellFailure(
    event: SignedEvent,
    outcome: FailedOutcome | DeadOutcome,
    startedAtMs: number,
  ): Promise<void> | undefined {
    // An event that was dead before has been told then.
    if (outcome.failures.length === 0) return undefined;
    const isDead = outcome.status === 'dead';
    metrics.recordMs(event.type, performance.now() - startedAtMs, false);
    if (isDead) metrics.recordDeadLetter();
    // The error handler hears of an event once: without a queue, on the first delivery whose attempts are spent.
    const forGood = queue ? isDead : outcome.failuresBefore === 0;
    if (!forGood || !errorHandler) return undefined;
    return guarded(() => errorHandler.handle(event.forHook(), outcome.failures[0]?.error, { scheduleRetry: !queue }));
  }

  return {
    refuse(error, log) {
      const refusal = isWebhookError(error) ? error : new WebhookError('handler_failed', { cause: error });
      metrics.recordRejected(refusal.code);
      publishRejected(refusal.code);
      // Only what is set up wrong is logged: a forgery is counted, or anybody could fill the log.
      if (refusal !== error || refusal.code === 'body_already_parsed' || refusal.code === 'secret_unavailable') {
        logAboutEvent(log, 'error', undefined, { err: refusal, code: refusal.code }, refusal.message);
      }
      return refusal;
    },

    tell(error, event, log) {
      logAboutEvent(log, 'warn', event, { err: error }, 'A verified webhook delivery has a problem');
      callOnError(error, event);
    },

    failedRun(error, event, fields) {
      logAboutEvent(logger, 'error', event, { err: error, ...fields }, 'A webhook handler failed');
      callOnError(error, event);
    },

    tellQueued({ status }) {
      if (status === 'duplicate') metrics.recordDuplicate();
      else metrics.recordQueued();
    },

    tellOutcome(event, outcome, startedAtMs) {
      switch (outcome.status) {
        case 'processed':
          metrics.recordMs(event.type, performance.now() - startedAtMs, true);
          return undefined;
        case 'duplicate':
          metrics.recordDuplicate();
          return undefined;
        case 'unhandled':
          metrics.recordUnhandled();
          return undefined;
        case 'failed':
        case 'dead':
          return tellFailure(event, outcome, startedAtMs);
        default:
          return undefined;
      }
    },
  };
}
