import { memoryStore, type QueuedDelivery, type WebhookQueue } from '@pathfinder/webhooks';

/** The least that is a queue: an array, worked off once when started. */
export function inTestQueue(parts: Partial<WebhookQueue> = {}): WebhookQueue & { readonly kept: QueuedDelivery[] } {
  const kept: QueuedDelivery[] = [];
  return {
    durable: false,
    shared: false,
    store: memoryStore(),
    kept,
    async enqueue(delivery) {
      const known = kept.find(({ key }) => key === delivery.key);
      if (!known) kept.push(delivery);
      if (!known) return 'accepted';
      return known.bodyHash === delivery.bodyHash ? 'duplicate' : 'conflict';
    },
    async start(work) {
      for (const delivery of kept) await work(delivery, 1, new AbortController().signal);
    },
    stop: async () => undefined,
    drain: async () => 0,
    deadLetters: { list: async () => [], get: async () => undefined, replay: async () => 0, discard: async () => 0 },
    stats: async () => ({ ready: kept.length, active: 0, delayed: 0, dead: 0, unhandled: 0, oldestReadyMs: 0 }),
    ...parts,
  };
}
