import assert from 'node:assert/strict';
import type { Claim, WebhookStore } from '../../../index.ts';

/** How to open the store under test. */
export interface OpenStoreOptions {
  /** `A-Z a-z 0-9 _`, new for each case: what one namespace holds is not seen in another. */
  readonly namespace: string;
  /** What the store has to take as its own `retentionMs`. */
  readonly retentionMs: number;
}

/** A store, and its clock where the test drives it. */
export interface OpenedStore {
  readonly store: WebhookStore;
  /** Moves the store's clock. Absent: the suite lets real time pass. */
  readonly advance?: ((ms: number) => void | Promise<void>) | undefined;
}

/** Opens the store; again with the same namespace, one that a durable store shares its rows with. */
export type OpenStore = (options: OpenStoreOptions) => OpenedStore | Promise<OpenedStore>;

/** What kind of store a case is about. */
export type StoreKind = 'durable' | 'shared' | 'transactions';

/** One promise of a store. */
export interface StoreCase {
  /** A sentence. */
  readonly name: string;
  /** Only stores of this kind promise it. Absent: all of them. */
  readonly kind?: StoreKind | undefined;
  /** Rejects where the store breaks the promise. */
  run(bench: StoreBench): Promise<void>;
}

/** What a case works with. */
export interface StoreBench {
  /** A store on a namespace of its own. */
  readonly store: WebhookStore;
  /** A lease that a case waits out. */
  readonly shortMs: number;
  /** Another instance on the same namespace, or on the one named. */
  open(options?: Partial<OpenStoreOptions>): Promise<WebhookStore>;
  /** Closes an instance early. */
  close(store: WebhookStore): Promise<void>;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Asks until there is an answer, while time passes. */
  until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T>;
}

export type Acquired = Extract<Claim, { status: 'acquired' }>;

/** Longer than any case takes. */
export const LONG_MS = 60_000;
/** The hash of a body, where a case has only one. */
export const HASH = 'a'.repeat(64);
/** The hash of other bytes. */
export const OTHER_HASH = 'b'.repeat(64);

export function tryClaim(store: WebhookStore, key: string, leaseMs = LONG_MS, bodyHash = HASH): Promise<Claim> {
  return store.claim(key, { leaseMs, bodyHash });
}

/** Claims a key that has to be free. */
export async function claim(store: WebhookStore, key: string, leaseMs = LONG_MS, bodyHash = HASH): Promise<Acquired> {
  const answer = await tryClaim(store, key, leaseMs, bodyHash);
  assert.equal(answer.status, 'acquired', `claim(${JSON.stringify(key)})`);
  return answer as Acquired;
}

/** Claims a key as soon as its lease, its wait or its retention is over. */
export function claimInTime(bench: StoreBench, key: string, bodyHash = HASH, leaseMs = LONG_MS): Promise<Acquired> {
  return bench.until(`claim(${JSON.stringify(key)}) to be acquired`, async () => {
    const answer = await tryClaim(bench.store, key, leaseMs, bodyHash);
    return answer.status === 'acquired' ? answer : undefined;
  });
}
