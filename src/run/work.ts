import { WebhookError } from '../errors.ts';
import { type Outcome, workOutcomeOf } from '../outcome.ts';
import type { QueueWork } from '../queue.ts';
import { logAboutEvent } from '../report/logger.ts';
import type { Core } from './core.ts';
import { processEvent } from './process.ts';
import { type ApplySchema, SignedEvent } from './signed-event.ts';

const STORE_RETRY_MS = 1000;
// Types are the sender's words: beyond so many nothing more is said of those without a handler.
const MOST_TYPES_WARNED_OF = 100;

/** What a worker needs of the handler beside its core. */
export interface WorkHooks {
  /** What the integrator's schemas make of an event of this type, if there is one for it. */
  applierOf(type: string): ApplySchema | undefined;
  /** Told what became of each run. */
  tellOutcome(event: SignedEvent, outcome: Outcome, startedAtMs: number): void;
}

/** What a queue's workers run for each delivery. Never rejects. */
export function createWork(core: Core, hooks: WorkHooks): QueueWork {
  const warnedOf = new Set<string>();

  function warnOfUnhandled({ id, type }: SignedEvent): void {
    if (warnedOf.has(type) || warnedOf.size >= MOST_TYPES_WARNED_OF) return;
    warnedOf.add(type);
    const message = 'No handler matches queued webhook events of this type: they are kept as dead letters (unhandled)';
    logAboutEvent(core.logger, 'warn', { id, type }, {}, message);
  }

  return async (delivery, _attempt, signal, slot, held) => {
    try {
      const startedAtMs = performance.now();
      const { key, eventId, type, created, tenant, body, bodyHash, traceparent } = delivery;
      // The bytes were verified when they were received. They are read only by a run, after the claim: whatever takes the
      // process down counts as a claim.
      const event = new SignedEvent({ id: eventId, type, created }, body, hooks.applierOf(type));
      const job = { event, tenant, key, body, bodyHash, slot, held, traceparent };
      const processing = await processEvent(core, job, signal);
      const outcome = (await processing.recorded) ?? processing.outcome;
      hooks.tellOutcome(event, outcome, startedAtMs);
      if (outcome.status === 'unhandled') warnOfUnhandled(event);
      if (outcome.status === 'conflict') core.report(new WebhookError('id_conflict'), event, {});
      return workOutcomeOf(outcome);
    } catch (error) {
      core.logger.error({ err: error, event_id: delivery.eventId }, 'A queued webhook event could not be taken up');
      return { kind: 'retry', inMs: STORE_RETRY_MS };
    }
  };
}
