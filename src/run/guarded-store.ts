import { guarded } from '../shared/guard.ts';
import type { Claim, ClaimOptions, FailOptions, WebhookStore } from '../store.ts';
import type { Asker } from './ask.ts';

const CLAIMED: ReadonlySet<unknown> = new Set([
  'acquired',
  'busy',
  'done',
  'dead',
  'conflict',
] satisfies Claim['status'][]);
const SAVED: ReadonlySet<unknown> = new Set(['saved', 'exists', 'lost']);

/** A store as the core asks it; on the way of every delivery an answer may be there at once. */
export interface AskedStore extends Omit<WebhookStore, 'claim' | 'complete' | 'close'> {
  claim(key: string, options: ClaimOptions): Claim | Promise<Claim>;
  complete(key: string, token: string, tx?: unknown): boolean | Promise<boolean>;
}

/** What answers at once, and may throw. */
export interface DirectRows {
  claim(key: string, options: ClaimOptions): Claim;
  complete(key: string, token: string): boolean;
}

/**
 * A store as the core uses it: whatever the given one throws, rejects with or never answers is a rejection within the
 * asker's time.
 *
 * @param giveBack - How an event is given back that was claimed when nobody waited for the claim any more.
 * @param direct - What the store is made of, where that needs no promise.
 */
export function guardStore(store: WebhookStore, asker: Asker, giveBack: FailOptions, direct?: DirectRows): AskedStore {
  const { durable, shared, retentionMs, leaseMs, transactions } = store;
  const transaction = store.transaction?.bind(store);

  // Without this the event would be leased to nobody until the lease ends.
  function release(key: string, claim: Claim): void {
    if (claim.status !== 'acquired') return;
    asker.ask(() => store.fail(key, claim.token, giveBack)).catch(() => undefined);
  }

  const guarded: AskedStore = {
    durable,
    shared,
    retentionMs,
    leaseMs,
    transactions,
    claim: (key, options) =>
      asker.ask(() => store.claim(key, options), { isAnswer: isClaim, late: (claim) => release(key, claim) }),
    extend: (key, token, forMs) => asker.ask(() => store.extend(key, token, forMs)),
    checkpoint: (key, token, step, value, tx) =>
      asker.ask(() => store.checkpoint(key, token, step, value, tx), { isAnswer: isSaved }),
    ...(transaction && { transaction: (work) => transact(transaction, asker, work) }),
    complete: (key, token, tx) => asker.ask(() => store.complete(key, token, tx)),
    fail: (key, token, options) => asker.ask(() => store.fail(key, token, options)),
    get: (key) => asker.ask(() => store.get(key)),
    revive: (key, options) => asker.ask(() => store.revive(key, options)),
    latest: (entity) => asker.ask(() => store.latest(entity)),
    advance: (entity, version, tx) => asker.ask(() => store.advance(entity, version, tx)),
    sweep: (limit) => asker.ask(() => store.sweep(limit)),
  };
  if (!direct) return guarded;
  return {
    ...guarded,
    claim: (key, options) => asker.call(() => direct.claim(key, options)),
    complete: (key, token) => asker.call(() => direct.complete(key, token)),
  };
}

function isSaved(saved: unknown): boolean {
  return SAVED.has(saved);
}

function isClaim(claim: unknown): boolean {
  return CLAIMED.has((claim as Claim | null | undefined)?.status);
}

/**
 * Runs `work` in a transaction of the store. Its beginning and its end have the asker's time each; in between the work takes
 * what it needs. A transaction that begins too late runs nothing.
 *
 * @throws What `work` throws; what the asker makes of the store's own failures.
 */
async function transact<T>(
  transaction: NonNullable<WebhookStore['transaction']>,
  asker: Asker,
  work: (tx: unknown) => Promise<T>,
): Promise<T> {
  let working: Promise<T> | undefined;
  let begin: (value?: undefined) => void = () => undefined;
  const begun = new Promise<undefined>((resolve) => {
    begin = resolve;
  });
  let givenUp = false;
  const committed = guarded(() =>
    transaction(async (tx) => {
      if (givenUp) throw new Error('This transaction began when nobody waited for it any more.');
      working = work(tx);
      begin();
      return working;
    }),
  );
  try {
    await asker.ask(() => Promise.race([begun, committed]), { isAnswer: () => working !== undefined });
  } catch (error) {
    givenUp = true;
    throw error;
  }
  const [worked] = await Promise.allSettled([working]);
  try {
    // After a failure of the work this waits for the end of its transaction.
    await asker.ask(() => committed);
  } catch (error) {
    if (worked.status === 'fulfilled') throw error;
  }
  if (worked.status === 'rejected') throw worked.reason;
  return worked.value as T;
}
