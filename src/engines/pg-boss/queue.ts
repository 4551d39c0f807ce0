import { consoleLogger, type QueueStats, type WebhookLogger, type WebhookQueue } from '../../index.ts';
import { check, checkNames, duration, type OptionNames } from '../../shared/check.ts';
import { unheeded } from '../../shared/guard.ts';
import { checkPool, type PostgresPool } from '../postgres/driver.ts';
import { createEventRows } from '../postgres/events.ts';
import { isOfOneStatement, openSession, statements } from '../postgres/session.ts';
import {
  keysIn,
  POSTGRES_STORE_NAMES,
  type PostgresStoreOptions,
  readPostgresOptions,
  storeOver,
} from '../postgres/store.ts';
import { takenWithClaim } from '../shared/claimed-delivery.ts';
import { nowAndThen } from '../shared/now-and-then.ts';
import { createWorkers } from '../shared/workers.ts';
import { bossOn, type PgBossClient } from './boss.ts';
import { createDeliveries } from './deliveries.ts';
import { createDoor } from './door.ts';
import { createLetters } from './letters.ts';
import { queueStatements } from './sql.ts';
import { withJobs } from './store.ts';
import type { QueueTools } from './tools.ts';

const CLOSE_MS = 10_000;
const SWEEP_EVERY_MS = 60_000;
const MOST_REPAIR_EVERY_MS = 10_000;
const SWEEP_ROWS = 1000;
const MOST_DEADLOCKS = 5;

/** Options of {@link pgBossQueue}. */
export interface PgBossQueueOptions extends Omit<PostgresStoreOptions, 'logger'> {
  /** A `Pool` of `pg` 8 on the database of pg-boss, with `connectionTimeoutMillis` set. */
  readonly pool: PostgresPool;
  /**
   * How long the bytes of a finished event stay in `<prefix>body`, up to `retentionMs`; what is due goes within a minute
   * while workers run. Default 0: they go when the event is done.
   */
  readonly keepBodiesMs?: number | undefined;
  /** How often to look for what other processes have queued; what this one queues is run at once. Default 250. */
  readonly pollMs?: number | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Pick<WebhookLogger, 'warn' | 'error'> | undefined;
}

const NAMES: OptionNames<PgBossQueueOptions> = {
  ...POSTGRES_STORE_NAMES,
  pool: true,
  keepBodiesMs: true,
  pollMs: true,
};
const listening = new WeakSet<object>();

/**
 * A durable queue on pg-boss, and its store beside it in the same database: any number of machines may receive and work. Event,
 * bytes and job are written in one transaction, and end in one; with `{ transaction: true }` so do the effects of a handler, which
 * happen exactly once. pg-boss only carries and wakes: which event runs, again and when, is the SDK's, on every engine the same.
 *
 * @param boss - A started `PgBoss`: pg-boss 10 on Node 20, 12 from Node 22.12 on. It stays the caller's to stop, as the pool does.
 * @throws TypeError for options that make no sense, for what is no pg-boss and for what is no pool.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString, connectionTimeoutMillis: 5_000, max: 20 });
 * const boss = await new PgBoss(connectionString).start();
 * const webhooks = new WebhookHandler({ secret, queue: pgBossQueue(boss, { pool }) });
 * await webhooks.start();
 * ```
 */
export function pgBossQueue(boss: PgBossClient, options: PgBossQueueOptions): WebhookQueue {
  checkNames('pgBossQueue', options, NAMES);
  const { pool, keepBodiesMs = 0, pollMs = 250, logger = consoleLogger, ...storeOptions } = options;
  checkPool('pgBossQueue', pool);
  const settings = readPostgresOptions({ ...storeOptions, logger });
  const { namespace, leaseMs, retentionMs } = settings;
  check(keepBodiesMs >= 0 && keepBodiesMs <= retentionMs, '`keepBodiesMs`', 'a number from 0 to `retentionMs`');
  duration('pollMs', pollMs);
  const port = bossOn(boss, namespace);
  listenTo(boss, logger);

  const session = openSession(pool, settings);
  const sql = statements(queueStatements(settings.tables), settings.preparedStatements);
  const keyOf = keysIn(namespace);
  const events = createEventRows(session, { ...settings, keepBodiesMs });
  const tools: QueueTools = { session, sql, boss: port, events, keyOf };
  const store = withJobs(storeOver(session, events, settings), tools, { retentionMs, keepBodiesMs });
  const admit = createDoor(tools, { namespace, logger });
  const deliveries = createDeliveries(tools, { namespace, leaseMs });
  const ready = once(() => session.begin((tx) => port.createQueue(tx)));

  const sweep = nowAndThen(SWEEP_EVERY_MS, async () => (await events.sweep(SWEEP_ROWS)) >= SWEEP_ROWS);
  const repairEveryMs = Math.min(MOST_REPAIR_EVERY_MS, leaseMs / 3);
  const repair = nowAndThen(repairEveryMs, async () => (await deliveries.repair()) > 0);

  const workers = createWorkers(
    {
      async take(room) {
        await ready();
        await sweep();
        await repair();
        return (await deliveries.take(room)).map((one) => takenWithClaim(store, one));
      },
      async dueInMs() {
        const [row] = await session.run<{ readonly due_ms: number | null }>(sql.dueInMs, [namespace]);
        return row?.due_ms ?? Number.POSITIVE_INFINITY;
      },
    },
    { pollMs: Math.min(pollMs, repairEveryMs), logger },
  );

  return {
    durable: true,
    shared: true,
    store,
    async enqueue(delivery) {
      await ready();
      const enqueued = await admit(delivery).catch((error: unknown) => {
        // The queue of pg-boss may be gone.
        ready.again();
        throw error;
      });
      if (enqueued === 'accepted' || enqueued === 'revived') workers.wake();
      return enqueued;
    },
    start: async (work, startOptions) => workers.start(work, startOptions),
    stop: (stopOptions) => workers.stop(stopOptions),
    drain: (work, drainOptions) => workers.drain(work, drainOptions),
    deadLetters: createLetters(tools, { ...settings, wake: () => workers.wake() }),

    async stats() {
      const [counted] = await session.run<Counted>(sql.stats, [namespace]);
      const [dead] = await session.run<Pick<QueueStats, 'dead' | 'unhandled'>>(sql.countDead, [namespace]);
      const { ready: count = 0, active = 0, delayed = 0, oldest_ms: oldestMs } = counted ?? {};
      const oldestReadyMs = count === 0 ? 0 : Math.max(0, Math.round(oldestMs ?? 0));
      return { ready: count, active, delayed, dead: dead?.dead ?? 0, unhandled: dead?.unhandled ?? 0, oldestReadyMs };
    },

    close: () => workers.stop({ timeoutMs: CLOSE_MS }),
  };
}

interface Counted {
  readonly ready: number;
  readonly active: number;
  readonly delayed: number;
  readonly oldest_ms: number | null;
}

// An emitter without a listener takes the process down when the maintenance of pg-boss fails.
function listenTo(boss: PgBossClient, logger: Pick<WebhookLogger, 'warn'>): void {
  if (listening.has(boss)) return;
  listening.add(boss);
  boss.on('error', (err) =>
    unheeded(() => logger.warn({ err }, 'pg-boss could not do its maintenance; it tries again')),
  );
}

/** Does `work` once, however often it is asked; again where it has failed, or is told to. */
function once(work: () => Promise<void>): { (): Promise<void>; again(): void } {
  let doing: Promise<void> | undefined;
  const tryIt = async (triesLeft: number): Promise<void> => {
    try {
      await work();
    } catch (error) {
      // A deadlock with whoever uses the tables meanwhile.
      if (triesLeft === 0 || !isOfOneStatement(error)) throw error;
      await tryIt(triesLeft - 1);
    }
  };
  const again = () => {
    doing = undefined;
  };
  const ask = () => {
    doing ??= tryIt(MOST_DEADLOCKS).catch((error: unknown) => {
      again();
      throw error;
    });
    return doing;
  };
  return Object.assign(ask, { again });
}
