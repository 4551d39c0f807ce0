import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebhookStore } from '../../index.ts';
import { describeContract, newNamespace, type TestRunner, untilAnswered } from './contract.ts';
import type { OpenedStore, OpenStore, OpenStoreOptions, StoreBench, StoreCase, StoreKind } from './store/bench.ts';
import { claimCases } from './store/claims.ts';
import { lifetimeCases } from './store/lifetime.ts';
import { outcomeCases } from './store/outcomes.ts';
import { stepCases } from './store/steps.ts';
import { transactionCases } from './store/transactions.ts';
import { versionCases } from './store/versions.ts';

export type {
  OpenedStore,
  OpenStore,
  OpenStoreOptions,
  StoreBench,
  StoreCase,
  StoreKind,
} from './store/bench.ts';

const DAY_MS = 86_400_000;
const PATIENCE = { patienceMs: 10_000, pollMs: 10 };

/** Options of {@link describeWebhookStore}. */
export interface StoreContractOptions {
  /** `import { describe, it } from 'vitest'`, or of another runner. */
  readonly runner: TestRunner;
  /** What the store says of itself. What it does not, is not asked of it. Default: nothing. */
  readonly kinds?: readonly StoreKind[] | undefined;
  /** A lease that cases wait out, in milliseconds: several round trips to the store. Default 50. */
  readonly shortMs?: number | undefined;
}

/** Every promise of a store, one case for each. */
export const storeContract: readonly StoreCase[] = [
  ...claimCases,
  ...stepCases,
  ...outcomeCases,
  ...versionCases,
  ...lifetimeCases,
  ...transactionCases,
];

/**
 * Defines the tests that every `WebhookStore` has to pass, in the runner's own terms. Each opens the store on a namespace
 * of its own and closes it; what they leave in a database is for the caller to clear.
 *
 * @param name - Of the store, for the report.
 * @param open - Opens it as it is told; called again with one namespace, a durable store shows the same rows.
 *
 * @example
 * ```ts
 * import { describe, it } from 'vitest';
 *
 * const open = (options: OpenStoreOptions) => ({ store: redisStore(client, options) });
 * describeWebhookStore('redisStore', open, { runner: { describe, it }, kinds: ['durable', 'shared'] });
 * ```
 */
export function describeWebhookStore(name: string, open: OpenStore, options: StoreContractOptions): void {
  const { runner, kinds = [] } = options;
  const run = (one: StoreCase) => runStoreCase(one, open, options);
  const title = `${name}: the store contract`;
  describeContract(title, { runner, kinds, describesItself: describesItself(kinds), cases: storeContract, run });
}

/**
 * Runs one case, for those without a runner.
 *
 * @throws What the case throws: an `AssertionError` for a broken promise.
 */
export async function runStoreCase(
  one: StoreCase,
  open: OpenStore,
  { shortMs = 50 }: Pick<StoreContractOptions, 'shortMs'> = {},
): Promise<void> {
  const namespace = newNamespace();
  const opened: OpenedStore[] = [];
  const openOne = async (more: Partial<OpenStoreOptions> = {}) => {
    const next = await open({ namespace, retentionMs: 7 * DAY_MS, ...more });
    opened.push(next);
    return next.store;
  };
  const pass = async (ms: number) => {
    // Instances may share one clock.
    const clocks = new Set(opened.flatMap(({ advance }) => advance ?? []));
    if (clocks.size === 0) await delay(ms);
    for (const advance of clocks) await advance(ms);
  };
  const close = async (store: WebhookStore) => {
    const at = opened.findIndex((one) => one.store === store);
    opened.splice(at, 1);
    await store.close();
  };
  try {
    const store = await openOne();
    const until: StoreBench['until'] = (what, ask) => untilAnswered(what, ask, { ...PATIENCE, pass });
    await one.run({ store, shortMs, open: openOne, close, pass, until });
  } finally {
    for (const { store } of [...opened]) await close(store);
  }
}

function describesItself(kinds: readonly StoreKind[]): StoreCase {
  return {
    name: 'describes itself correctly',
    async run({ store }) {
      const found = {
        durable: store.durable,
        shared: store.shared,
        transactions: store.transaction !== undefined,
        named: store.transactions !== undefined,
      };
      const transactions = kinds.includes('transactions');
      const told = { durable: kinds.includes('durable'), shared: kinds.includes('shared'), transactions };
      assert.deepEqual(found, { ...told, named: transactions });
      assert.equal(store.retentionMs, 7 * DAY_MS);
      assert.ok(store.leaseMs === undefined || store.leaseMs > 0);
    },
  };
}
