import { consoleLogger, type QueuedDelivery, type WebhookLogger, type WebhookQueue } from '../../index.ts';
import { check, checkNames, duration, type OptionNames, positive } from '../../shared/check.ts';
import { takenWithClaim } from '../shared/claimed-delivery.ts';
import { createWorkers } from '../shared/workers.ts';
import { type DeliveryRows, prepareDeliveryRows } from './deliveries.ts';
import type { SqliteDatabase } from './driver.ts';
import { prepareEventRows } from './events.ts';
import { createSqliteLetters } from './letters.ts';
import {
  keysIn,
  openSqlite,
  readSqliteOptions,
  SQLITE_STORE_NAMES,
  type SqliteStoreOptions,
  storeOver,
} from './store.ts';

const CLOSE_MS = 10_000;
const SWEEP_EVERY_MS = 60_000;
const SWEEP_ROWS = 1000;

/** Options of {@link sqliteQueue}. */
export interface SqliteQueueOptions extends SqliteStoreOptions {
  /** Most events that wait or run. Beyond it `enqueue` rejects, and the reply is 503. Default 1,000,000. */
  readonly maxPending?: number | undefined;
  /**
   * How long the bytes of a finished event stay in `<prefix>body`, up to `retentionMs`; what is due goes within a minute
   * while workers run. Default 0: they go when the event is done.
   */
  readonly keepBodiesMs?: number | undefined;
  /** Says that what it accepted may be lost with the process: required for a database in memory. */
  readonly allowVolatile?: boolean | undefined;
  /** How often to look for what other processes have queued; what this one queues is run at once. Default 250. */
  readonly pollMs?: number | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Pick<WebhookLogger, 'warn' | 'error'> | undefined;
}

const NAMES: OptionNames<SqliteQueueOptions> = {
  ...SQLITE_STORE_NAMES,
  maxPending: true,
  keepBodiesMs: true,
  allowVolatile: true,
  pollMs: true,
  logger: true,
};

/**
 * A durable queue and its store in one SQLite file: all that a single machine needs. `enqueue` resolves after the commit of
 * everything that arrived in the same turn of the event loop; whether an event is new, a duplicate or a conflict is decided in
 * that transaction. Several processes of the machine may share the file; not for network file systems.
 *
 * @param dbOrPath - As for `sqliteStore`.
 * @throws TypeError for options that make no sense, and when a path is given and no driver is installed.
 *
 * @example
 * ```ts
 * const webhooks = new WebhookHandler({ secret, queue: sqliteQueue('./webhooks.db') });
 * await webhooks.start();
 * ```
 */
export function sqliteQueue(dbOrPath: SqliteDatabase | string, options: SqliteQueueOptions = {}): WebhookQueue {
  checkNames('sqliteQueue', options, NAMES);
  const checked = readSqliteOptions(options);
  const { keepBodiesMs, maxPending, pollMs, logger } = readQueueOptions(options, checked.retentionMs);
  const { connection, settings } = openSqlite(dbOrPath, checked);
  if (!connection.durable && options.allowVolatile !== true) {
    void connection.close();
    throw new TypeError(
      'A SQLite database in memory loses what it accepted with the process. Pass the path of a file, or { allowVolatile: true } in tests.',
    );
  }
  const { now } = settings.clock;
  const events = prepareEventRows(connection, { ...settings, now, keepBodiesMs });
  const keyOf = keysIn(settings.namespace);
  const rows = prepareDeliveryRows(connection, events, { ...settings, now, logger, keyOf });
  const store = storeOver(connection, events, settings);
  const pending = pendingGauge(rows, maxPending);

  let sweepDueMs = 0;

  // Deliveries that come in sweep as well; but where few come, or only workers run, nothing else would.
  async function sweepNowAndThen(): Promise<void> {
    if (performance.now() < sweepDueMs) return;
    const swept = await connection.write(() => events.sweep(SWEEP_ROWS));
    sweepDueMs = swept < SWEEP_ROWS ? performance.now() + SWEEP_EVERY_MS : 0;
  }

  const workers = createWorkers(
    {
      async take(room) {
        await sweepNowAndThen();
        if (!(await connection.read(() => rows.anyDue()))) return [];
        return (await connection.write(() => rows.take(room.most(), room.isIdle()))).map((one) =>
          takenWithClaim(store, one),
        );
      },
      dueInMs: () => connection.read(() => rows.dueInMs()),
    },
    { pollMs, logger },
  );

  async function enqueue(delivery: QueuedDelivery) {
    const admitted = await connection.write(() => pending.admit((full) => rows.admit(delivery, full)));
    if (admitted === 'full') throw new Error(`The queue holds its limit of ${maxPending} events.`);
    if (admitted === 'accepted' || admitted === 'revived') workers.wake();
    return admitted;
  }

  return {
    durable: connection.durable,
    shared: connection.durable,
    store,
    enqueue,
    start: async (work, startOptions) => workers.start(work, startOptions),
    stop: (stopOptions) => workers.stop(stopOptions),
    drain: (work, drainOptions) => workers.drain(work, drainOptions),
    deadLetters: createSqliteLetters(connection, events, { ...settings, keyOf, wake: () => workers.wake() }),
    stats: () => connection.read(() => rows.stats()),
    async close() {
      await workers.stop({ timeoutMs: CLOSE_MS });
      await connection.close();
    },
  };
}

function readQueueOptions(options: SqliteQueueOptions, retentionMs: number) {
  const { keepBodiesMs = 0, maxPending = 1_000_000, pollMs = 250, logger = consoleLogger } = options;
  check(keepBodiesMs >= 0 && keepBodiesMs <= retentionMs, '`keepBodiesMs`', 'a number from 0 to `retentionMs`');
  positive('maxPending', maxPending);
  duration('pollMs', pollMs);
  return { keepBodiesMs, maxPending, pollMs, logger };
}

// Counting takes 50 ns an event, so it may be done again after ten times that. What other processes queue shows at the
// next count.
const RECOUNT_MS_PER_EVENT = 0.0005;
const COUNT_LASTS_MS = 10_000;

/** Knows how many events wait or run without counting them each time. Never too few of this process. */
function pendingGauge(rows: DeliveryRows, maxPending: number) {
  let atMost = Number.POSITIVE_INFINITY;
  let countedAtMs = Number.NEGATIVE_INFINITY;

  function isFull(): boolean {
    const ageMs = performance.now() - countedAtMs;
    if (ageMs > COUNT_LASTS_MS || (atMost >= maxPending && ageMs >= maxPending * RECOUNT_MS_PER_EVENT)) {
      atMost = rows.countPending();
      countedAtMs = performance.now();
    }
    return atMost >= maxPending;
  }

  return {
    admit<T>(decide: (full: boolean) => T): T {
      const admitted = decide(isFull());
      if (admitted === 'accepted' || admitted === 'revived') atMost++;
      return admitted;
    },
  };
}
