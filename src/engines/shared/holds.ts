import type { StoredEvent, WebhookStore } from '../../index.ts';

/** What a store knew of an event when a queue came to hold its bytes. */
export interface Known extends Pick<StoredEvent, 'state' | 'bodyHash' | 'failures'> {
  /** A queue has said before that it holds the bytes. */
  readonly held: boolean;
}

/**
 * Notes in one atomic step that a queue holds the bytes of an event that is new, or has failed with these bytes where nothing held
 * them. Gives what was known of it; undefined for one that is new.
 */
export type Hold = (key: string, bodyHash: string) => Promise<Known | undefined>;

const holds = new WeakMap<WebhookStore, Hold>();

/** Lets a queue that is not in the store's own database tell it of an event before a worker claims that. */
export function letHold(store: WebhookStore, hold: Hold): void {
  holds.set(store, hold);
}

/** How to tell this store, if it is one of the package's own. */
export function holdOf(store: WebhookStore): Hold | undefined {
  return holds.get(store);
}
