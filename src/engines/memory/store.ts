import type { WebhookStore } from '../../store.ts';
import type { MemoryRows } from './row.ts';
import { createMemoryRows, type MemoryStoreOptions } from './rows.ts';

const rowsOfStores = new WeakMap<WebhookStore, MemoryRows>();

/**
 * Remembers events in this process: for tests and for receivers whose handlers may run again after a restart. Bounded:
 * when full it forgets what has not been touched for the longest, a finished event or one that failed and that nobody holds,
 * and warns once; it rejects (the reply is 503) when every id is at work or dead, or `maxAgeSeconds` still rests on it.
 */
export function memoryStore(options: MemoryStoreOptions = {}): WebhookStore {
  const rows = createMemoryRows(options);
  const store: WebhookStore = {
    durable: false,
    shared: false,
    retentionMs: rows.retentionMs,
    claim: async (key, claimOptions) => rows.claim(key, claimOptions),
    extend: async (key, token, leaseMs) => rows.extend(key, token, leaseMs),
    checkpoint: async (key, token, step, value) => rows.checkpoint(key, token, step, value),
    complete: async (key, token) => rows.complete(key, token),
    fail: async (key, token, failOptions) => rows.fail(key, token, failOptions),
    get: async (key) => rows.get(key),
    revive: async (key, reviveOptions) => rows.revive(key, reviveOptions),
    latest: async (entity) => rows.latest(entity),
    advance: async (entity, version) => rows.advance(entity, version),
    sweep: async (limit) => rows.sweep(limit),
    close: async () => undefined,
    requireRetention: (ms) => rows.requireRetention(ms),
  };
  rowsOfStores.set(store, rows);
  return store;
}

/**
 * What `memoryStore` made the store of, for the core to ask without a promise (a tenth of a delivery). A copy with a method
 * of its own has none.
 */
export function memoryRowsOf(store: WebhookStore): MemoryRows | undefined {
  return rowsOfStores.get(store);
}
