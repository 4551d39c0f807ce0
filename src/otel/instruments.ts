import type { BatchObservableCallback, Counter, Histogram, Meter } from '@opentelemetry/api';
import type { QueueStats } from '../index.ts';

// Boundaries of the conventions: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
const DURATION_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const AGE_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400];

/** What is counted and measured. */
export interface Instruments {
  readonly consumed: Counter;
  readonly processDuration: Histogram;
  readonly deliveries: Counter;
  readonly deliveryAge: Histogram;
  readonly handlerDuration: Histogram;
  readonly handlerRetries: Counter;
  readonly deadLetters: Counter;
}

export function createInstruments(meter: Meter): Instruments {
  return {
    consumed: meter.createCounter('messaging.client.consumed.messages', {
      unit: '{message}',
      description: 'Events whose handlers were run',
    }),
    processDuration: histogram(meter, 'messaging.process.duration', 'Time that a run of an event took, claim included'),
    deliveries: meter.createCounter('pathfinder.webhooks.deliveries', {
      unit: '{delivery}',
      description: 'Deliveries that were answered, by outcome',
    }),
    deliveryAge: histogram(
      meter,
      'pathfinder.webhooks.delivery.age',
      'Age of an event when it was received',
      AGE_SECONDS,
    ),
    handlerDuration: histogram(
      meter,
      'pathfinder.webhooks.handler.duration',
      'Time that one attempt of a handler took',
    ),
    handlerRetries: meter.createCounter('pathfinder.webhooks.handler.retries', {
      unit: '{retry}',
      description: 'Attempts of a handler after its first for an event',
    }),
    deadLetters: meter.createCounter('pathfinder.webhooks.dead_letters', {
      unit: '{event}',
      description: 'Events that failed for good',
    }),
  };
}

function histogram(meter: Meter, name: string, description: string, boundaries = DURATION_SECONDS): Histogram {
  return meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries: boundaries } });
}

/**
 * Observes what a queue holds, whenever metrics are collected.
 *
 * @param stats - A queue that is out of reach rejects, and then nothing is reported.
 * @returns Ends it.
 */
export function observeInbox(meter: Meter, stats: () => Promise<QueueStats>, common: object): () => void {
  const count = meter.createObservableUpDownCounter('pathfinder.webhooks.inbox.event.count', {
    unit: '{event}',
    description: 'Events in the queue, by state',
  });
  const oldestAge = meter.createObservableGauge('pathfinder.webhooks.inbox.oldest.age', {
    unit: 's',
    description: 'Age of the oldest event that could run now',
  });
  const observe: BatchObservableCallback = async (result) => {
    const held = await stats().catch(() => undefined);
    if (!held) return;
    const events = {
      pending: held.ready + held.delayed,
      running: held.active,
      dead: held.dead,
      unhandled: held.unhandled,
    };
    for (const [state, value] of Object.entries(events)) {
      result.observe(count, value, { ...common, 'pathfinder.webhooks.inbox.state': state });
    }
    result.observe(oldestAge, held.oldestReadyMs / 1000, { ...common });
  };
  meter.addBatchObservableCallback(observe, [count, oldestAge]);
  return () => meter.removeBatchObservableCallback(observe, [count, oldestAge]);
}
