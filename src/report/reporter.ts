import { isWebhookError, WebhookError } from '../errors.ts';
import type { ReceivedWebhookEvent } from '../events/index.ts';
import type { WebhookHandlerOptions } from '../options.ts';
import type { Processed } from '../run/process.ts';
import { logAboutEvent, type WebhookLogger } from './logger.ts';
import type { WebhookMetrics } from './metrics.ts';

/** Tells the logger, the metrics, `onError` and the error handler what they asked to hear. Never throws. */
export interface Reporter {
  /** A delivery is refused: the error of the reply table that says why. */
  refuse(error: unknown, log: WebhookLogger): WebhookError;
  /** A delivery that was verified is refused, or departs from its schema. */
  tell(error: unknown, event: ReceivedWebhookEvent | undefined, log: WebhookLogger): void;
  /** A handler failed once. */
  failedRun(error: unknown, event: ReceivedWebhookEvent, fields: object): void;
  /** An event has an outcome; what is returned is still to be waited for. */
  settle(event: ReceivedWebhookEvent, outcome: Processed, startedAtMs: number): Promise<void> | undefined;
}

export function createReporter(
  { onError, errorHandler, queue }: WebhookHandlerOptions,
  metrics: WebhookMetrics,
  logger: WebhookLogger,
): Reporter {
  async function callOnError(error: unknown, event: ReceivedWebhookEvent | undefined): Promise<void> {
    try {
      await onError?.(error, event);
    } catch (err) {
      logAboutEvent(logger, 'error', event, { err }, 'onError failed');
    }
  }

  return {
    refuse(error, log) {
      const refusal = isWebhookError(error) ? error : new WebhookError('handler_failed', { cause: error });
      metrics.recordRejected(refusal.code);
      // What is set up wrong; a forgery is counted and not logged, or anybody could fill the log.
      if (refusal !== error || refusal.code === 'body_already_parsed' || refusal.code === 'secret_unavailable') {
        logAboutEvent(log, 'error', undefined, { err: refusal, code: refusal.code }, refusal.message);
      }
      return refusal;
    },

    tell(error, event, log) {
      logAboutEvent(log, 'warn', event, { err: error }, 'A verified webhook delivery has a problem');
      void callOnError(error, event);
    },

    failedRun(error, event, fields) {
      logAboutEvent(logger, 'error', event, { err: error, ...fields }, 'A webhook handler failed');
      void callOnError(error, event);
    },

    settle(event, outcome, startedAtMs) {
      if (outcome.status === 'processed') metrics.recordMs(event.type, performance.now() - startedAtMs, true);
      else if (outcome.status === 'duplicate') metrics.recordDuplicate();
      else if (outcome.status === 'unhandled') metrics.recordUnhandled();
      if (outcome.status !== 'failed') return undefined;
      metrics.recordMs(event.type, performance.now() - startedAtMs, false);
      if (outcome.dead) metrics.recordDeadLetter();
      // Once per event: without a queue, on the first delivery whose attempts are spent.
      const forGood = queue ? outcome.dead : outcome.failuresBefore === 0;
      return forGood ? errorHandler?.handle(event, outcome.failures[0]?.error, { scheduleRetry: !queue }) : undefined;
    },
  };
}
