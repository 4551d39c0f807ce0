import {
  memoryStore,
  type NoEventSchemas,
  type QueuedDelivery,
  type QueueWork,
  WebhookHandler,
  type WebhookHandlerOptions,
  type WebhookQueue,
  type WorkOutcome,
} from '@pathfinder/webhooks';
import { bodyOf, deliveryOf, recordingLogger, SECRET } from './deliver.ts';

/** A queue by hand: the test decides when a delivery is worked off. */
export function handQueue(parts: Partial<WebhookQueue> = {}) {
  let nowMs = 1_709_280_000_000;
  const store = memoryStore({ now: () => nowMs });
  const waiting: QueuedDelivery[] = [];
  const calls: unknown[] = [];
  let work: QueueWork | undefined;
  const queue: WebhookQueue = {
    durable: false,
    shared: false,
    store,
    async enqueue(delivery) {
      waiting.push(delivery);
      return 'accepted';
    },
    async start(given, options) {
      work = given;
      calls.push(['start', options]);
    },
    async stop(options) {
      calls.push(['stop', options]);
    },
    async drain(given, options) {
      calls.push(['drain', options]);
      for (const delivery of waiting.splice(0)) await given(delivery, 1, new AbortController().signal);
      return 1;
    },
    deadLetters: { list: async () => [], get: async () => undefined, replay: async () => 0, discard: async () => 0 },
    stats: async () => ({ ready: 0, active: 0, delayed: 0, dead: 0, unhandled: 0, oldestReadyMs: 0 }),
    ...parts,
  };
  return {
    queue,
    store,
    waiting,
    calls,
    wait(ms: number) {
      nowMs += ms;
    },
    run(signal = new AbortController().signal): Promise<WorkOutcome> {
      const [delivery] = waiting;
      if (!work || !delivery) throw new Error('nothing to run');
      return work(delivery, 1, signal);
    },
  };
}

/** A receiver on a queue by hand, whose workers start with the first run. */
export async function queueReceiver(options: Partial<WebhookHandlerOptions> = {}, hand = handQueue()) {
  const logger = recordingLogger();
  const errors: unknown[] = [];
  const webhooks = new WebhookHandler({
    secret: SECRET,
    queue: hand.queue,
    logger,
    onError: (error: unknown) => void errors.push(error),
    ...options,
  } as WebhookHandlerOptions<NoEventSchemas>);
  let started = false;
  return {
    ...hand,
    webhooks,
    async run(signal?: AbortSignal) {
      if (!started) await webhooks.start({ concurrency: 3 });
      started = true;
      return hand.run(signal);
    },
    logger,
    errors,
    receive: (overrides = {}, more = {}) => webhooks.receive(deliveryOf(bodyOf(overrides), more)),
  };
}
