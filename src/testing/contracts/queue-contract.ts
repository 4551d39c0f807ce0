import assert from 'node:assert/strict';
import type { WebhookHandler, WebhookQueue } from '../../index.ts';
import { describeContract, newNamespace, type TestRunner, untilAnswered } from './contract.ts';
import { addressCases } from './queue/addresses.ts';
import { newReceiver, type OpenQueue, pause, type QueueBench, type QueueCase, type QueueKind } from './queue/bench.ts';
import { doorCases } from './queue/door.ts';
import { failureCases } from './queue/failures.ts';
import { letterCases } from './queue/letters.ts';
import { lifecycleCases } from './queue/lifecycle.ts';
import { runCases } from './queue/runs.ts';

export type { OpenQueue, OpenQueueOptions, QueueBench, QueueCase, QueueKind } from './queue/bench.ts';

const POLL_MS = 5;

/** Options of {@link describeWebhookQueue}. */
export interface QueueContractOptions {
  /** `import { describe, it } from 'vitest'`, or of another runner. */
  readonly runner: TestRunner;
  /** What the queue says of itself. What it does not, is not asked of it. Default: nothing. */
  readonly kinds?: readonly QueueKind[] | undefined;
  /** How long a case waits for what has to come, in milliseconds. Default 10,000. */
  readonly patienceMs?: number | undefined;
}

/** Every promise of a queue, one case for each. Its store has a contract of its own. */
export const queueContract: readonly QueueCase[] = [
  ...doorCases,
  ...runCases,
  ...failureCases,
  ...letterCases,
  ...addressCases,
  ...lifecycleCases,
];

/**
 * Defines the tests that every `WebhookQueue` has to pass, in the runner's own terms: signed deliveries to a real
 * `WebhookHandler`, worked off by its handlers. Each opens the queue on a namespace of its own and closes it; what they leave
 * in a database is for the caller to clear.
 *
 * @param name - Of the queue, for the report.
 * @param open - Opens it as it is told; called again with one namespace, a shared queue shows the same events.
 *
 * @example
 * ```ts
 * import { describe, it } from 'vitest';
 *
 * const open = (options: OpenQueueOptions) => sqliteQueue('./contract.db', options);
 * describeWebhookQueue('sqliteQueue', open, { runner: { describe, it }, kinds: ['durable', 'shared'] });
 * ```
 */
export function describeWebhookQueue(name: string, open: OpenQueue, options: QueueContractOptions): void {
  const { runner, kinds = [] } = options;
  const run = (one: QueueCase) => runQueueCase(one, open, options);
  const title = `${name}: the queue contract`;
  describeContract(title, { runner, kinds, describesItself: describesItself(kinds), cases: queueContract, run });
}

/**
 * Runs one case, for those without a runner.
 *
 * @throws What the case throws: an `AssertionError` for a broken promise.
 */
export async function runQueueCase(
  one: QueueCase,
  open: OpenQueue,
  { patienceMs = 10_000 }: Pick<QueueContractOptions, 'patienceMs'> = {},
): Promise<void> {
  const namespace = newNamespace();
  const queues: WebhookQueue[] = [];
  const receivers: WebhookHandler[] = [];
  const openOne = async () => {
    const queue = await open({ namespace });
    queues.push(queue);
    return queue;
  };
  try {
    const queue = await openOne();
    const receiver: QueueBench['receiver'] = (options = {}) => {
      const webhooks = newReceiver(options.queue ?? queue, options);
      receivers.push(webhooks);
      return webhooks;
    };
    const patience = { patienceMs, pollMs: POLL_MS, pass: pause };
    await one.run({ queue, open: openOne, receiver, until: (what, ask) => untilAnswered(what, ask, patience) });
  } finally {
    for (const webhooks of receivers) await webhooks.stop({ timeoutMs: 1000 });
    for (const queue of queues) await queue.close?.();
  }
}

function describesItself(kinds: readonly QueueKind[]): QueueCase {
  return {
    name: 'describes itself correctly',
    async run({ queue }) {
      const { durable, shared, store } = queue;
      const told = { durable: kinds.includes('durable'), shared: kinds.includes('shared') };
      assert.deepEqual({ durable, shared }, told);
      // What the queue has accepted must not run twice because its store forgot, or because each process has its own.
      assert.ok(store.durable || !durable);
      assert.ok(store.shared || !shared);
    },
  };
}
