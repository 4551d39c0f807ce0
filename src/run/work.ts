import { WebhookError } from '../errors.ts';
import { type Outcome, workOutcomeOf } from '../outcome.ts';
import type { QueueWork } from '../queue.ts';
import type { Core } from './core.ts';
import { processEvent } from './process.ts';
import type { SignedEvent } from './signed-event.ts';

const STORE_RETRY_MS = 1000;

/** What a worker needs of the handler beside its core. */
export interface WorkHooks {
  /** Reads the event of a body, with what the integrator's schemas make of it. */
  read(body: Uint8Array): Promise<SignedEvent>;
  /** Told what became of each run. */
  tellOutcome(event: SignedEvent, outcome: Outcome, startedAtMs: number): void;
}

/** What a queue's workers run for each delivery. Never rejects. */
export function createWork(core: Core, hooks: WorkHooks): QueueWork {
  return async (delivery, _attempt, signal) => {
    try {
      const startedAtMs = performance.now();
      // The bytes were verified when they were received, and are kept as they were.
      const event = await hooks.read(delivery.body);
      const { key, tenant, body, bodyHash } = delivery;
      const processing = await processEvent(core, { event, tenant, key, body, bodyHash }, signal);
      const outcome = (await processing.recorded) ?? processing.outcome;
      hooks.tellOutcome(event, outcome, startedAtMs);
      if (outcome.status === 'conflict') core.report(new WebhookError('id_conflict'), event, {});
      return workOutcomeOf(outcome);
    } catch (error) {
      core.logger.error({ err: error, event_id: delivery.eventId }, 'A queued webhook event could not be taken up');
      return { kind: 'retry', inMs: STORE_RETRY_MS };
    }
  };
}
