import type { ConnectionOptions, Queue, Worker } from 'bullmq';
import { consoleLogger, type WebhookLogger, type WebhookQueue, type WebhookStore } from '../../index.ts';
import { check, checkMethods, checkNames, duration, type OptionNames } from '../../shared/check.ts';
import { unheeded } from '../../shared/guard.ts';
import { nowAndThen } from '../shared/now-and-then.ts';
import { noteClaims } from '../shared/taken-claims.ts';
import { withoutArguments } from '../shared/without-arguments.ts';
import { createWorkers } from '../shared/workers.ts';
import { createDoor } from './door.ts';
import type { JobData } from './job.ts';
import { createJobs } from './jobs.ts';
import { createLetters } from './letters.ts';
import { loadBullMQ } from './library.ts';
import { watchClock } from './set-back.ts';
import { createSource } from './source.ts';
import { statsOf } from './stats.ts';

const CLOSE_MS = 10_000;
const DEFAULT_NAME = 'pathfinder-webhooks';
const DEFAULT_LEASE_MS = 30_000;
// BullMQ fails a job whose worker died so often: the SDK counts, so that deploys do not eat the budget.
const MOST_STALLS = 1_000_000;
const TOLD_EVERY_MS = 10_000;
const SWEEP_EVERY_MS = 60_000;
const SWEPT_AT_ONCE = 1000;

/** A `Queue` of BullMQ 6: its name, connection and prefix are taken over. */
export interface BullMQQueue {
  readonly name: string;
  readonly opts: { readonly connection: ConnectionOptions; readonly prefix?: string | undefined };
}

/** Options of {@link bullmqQueue}. */
export interface BullMQQueueOptions {
  /** Where its events are claimed: `redisStore` or `postgresStore`, which span machines as the queue does. */
  readonly store: WebhookStore;
  /** As BullMQ takes it: options of ioredis, or a client with `maxRetriesPerRequest: null`. Either this or `queue`. */
  readonly connection?: ConnectionOptions | undefined;
  /** A queue of BullMQ that is there already. Nothing else may add jobs to it, or work on it. */
  readonly queue?: BullMQQueue | undefined;
  /** The name of the queue of BullMQ: one for each endpoint. No colon. Default `pathfinder-webhooks`. */
  readonly name?: string | undefined;
  /** Before the keys of BullMQ. Default `bull`, as BullMQ has it. */
  readonly prefix?: string | undefined;
  /** How often to look for what other processes have queued; what this one queues is run at once. Default 250. */
  readonly pollMs?: number | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Pick<WebhookLogger, 'warn' | 'error'> | undefined;
}

const NAMES: OptionNames<BullMQQueueOptions> = {
  store: true,
  connection: true,
  queue: true,
  name: true,
  prefix: true,
  pollMs: true,
  logger: true,
};

/**
 * A queue on BullMQ 6 and Redis, which any number of machines may share. A job carries the bytes of its event and wakes a worker;
 * whether the event runs is decided by its claim in the `store`, so a job that comes twice runs once. As durable as its Redis: see
 * `redisStore`. What is dead stays as a failed job; what no handler matched waits in a queue of BullMQ beside it, `<name>-unhandled`.
 *
 * @throws TypeError for options that make no sense, for a store that spans no machines, and when BullMQ 6 is not installed.
 *
 * @example
 * ```ts
 * const connection = { host: 'redis.internal', port: 6379 };
 * const store = redisStore(new Redis(connection));
 * const webhooks = new WebhookHandler({ secret, queue: bullmqQueue({ connection, store }) });
 * await webhooks.start();
 * ```
 */
export function bullmqQueue(options: BullMQQueueOptions): WebhookQueue {
  checkNames('bullmqQueue', options, NAMES);
  const { pollMs = 250, logger = consoleLogger } = options;
  const { connection, name, prefix } = readConnection(options);
  checkStore(options.store);
  duration('pollMs', pollMs);
  const library = loadBullMQ();
  const claims = noteClaims(options.store);
  const { store } = claims;
  const lockMs = Math.ceil(store.leaseMs ?? DEFAULT_LEASE_MS);
  const report = reporter(logger);
  const shared = { connection, ...(prefix !== undefined && { prefix }) };
  const open = <T extends { on(event: 'error', listener: (error: Error) => void): unknown }>(opened: T): T => {
    // An emitter without a listener takes the process down with its connection.
    opened.on('error', report);
    return opened;
  };
  const queue: Queue<JobData, undefined> = open(new library.Queue(name, shared));
  const kept: Queue<JobData, undefined> = open(new library.Queue(`${name}-unhandled`, shared));
  let worker: Worker<JobData, undefined> | undefined;

  // Receivers that work nothing off need no worker, and no connections for one.
  function openWorker(): Worker<JobData, undefined> {
    if (worker) return worker;
    const settings = { lockDuration: lockMs, stalledInterval: Math.ceil(lockMs / 3), maxStalledCount: MOST_STALLS };
    const opened = open(
      new library.Worker<JobData, undefined>(name, null, { ...shared, ...settings, autorun: false, concurrency: 1 }),
    );
    worker = opened;
    // The timer runs for as long as the worker is open.
    opened.startStalledCheckTimer().catch(report);
    return opened;
  }

  const jobs = createJobs(queue, kept);
  let isStarted = false;
  const timers = new Set<ReturnType<typeof setTimeout>>();

  function wakeIn(ms: number): void {
    if (ms <= 0) workers.wake();
    if (ms <= 0 || ms > pollMs * 10) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      workers.wake();
    }, ms);
    timers.add(timer);
  }

  function clearTimers(): void {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  }

  const source = createSource({
    jobClass: library.Job,
    worker: openWorker,
    jobs,
    store,
    claims,
    lockMs,
    wakeIn,
    report,
  });
  const checkClock = watchClock(queue);
  const sweep = nowAndThen(SWEEP_EVERY_MS, async () => {
    return (await jobs.sweepUnhandled(store.retentionMs, SWEPT_AT_ONCE)) >= SWEPT_AT_ONCE;
  });
  const workers = createWorkers(
    {
      async take(room) {
        await checkClock();
        await sweep();
        return source.take(room);
      },
      dueInMs: () => source.dueInMs(),
    },
    { pollMs, logger },
  );
  const admit = createDoor(jobs, options.store);

  return {
    durable: true,
    shared: true,
    store,
    async enqueue(delivery) {
      const enqueued = await admit(delivery);
      if (enqueued === 'accepted' || enqueued === 'revived') workers.wake();
      return enqueued;
    },
    async start(work, startOptions) {
      workers.start(work, startOptions);
      isStarted = true;
    },
    async stop(stopOptions) {
      isStarted = false;
      await workers.stop(stopOptions);
      await source.close();
      clearTimers();
    },
    async drain(work, drainOptions) {
      const ran = await workers.drain(work, drainOptions);
      if (!isStarted) await source.close();
      return ran;
    },
    deadLetters: createLetters({ jobs, store, wake: () => workers.wake() }),
    stats: () => statsOf(queue, kept),
    async close() {
      await workers.stop({ timeoutMs: CLOSE_MS });
      await source.close();
      clearTimers();
      await Promise.all([worker?.close(true), queue.close(), kept.close()]);
    },
  };
}

function readConnection({ connection, queue, name, prefix }: BullMQQueueOptions) {
  check((connection === undefined) !== (queue === undefined), 'One of `connection` and `queue`', 'given, and not both');
  if (queue) {
    const isQueue = typeof queue.name === 'string' && typeof queue.opts?.connection === 'object';
    check(isQueue, '`queue`', 'a Queue of BullMQ 6');
    check(name === undefined && prefix === undefined, '`name` and `prefix`', 'left to the `queue` that is given');
    return { connection: queue.opts.connection, name: queue.name, prefix: queue.opts.prefix };
  }
  const isName = name === undefined || /^[^:\p{C}]{1,200}$/u.test(name);
  check(isName, '`name`', 'a text of 1 to 200 printable characters without a colon');
  return { connection: connection as ConnectionOptions, name: name ?? DEFAULT_NAME, prefix };
}

function checkStore(store: WebhookStore): void {
  checkMethods('store', store, ['claim', 'extend', 'checkpoint', 'complete', 'fail', 'get', 'revive']);
  const spansMachines = store.durable && store.shared;
  check(spansMachines, '`store`', 'one that other machines share: redisStore(client) or postgresStore(pool)');
}

/** Tells of a connection that is broken, which BullMQ tries again several times a second. */
function reporter(logger: Pick<WebhookLogger, 'warn'>): (error: unknown) => void {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return (err) => {
    if (performance.now() - toldAtMs < TOLD_EVERY_MS) return;
    toldAtMs = performance.now();
    unheeded(() => logger.warn({ err: withoutArguments(err) }, 'BullMQ cannot reach its database; it tries again'));
  };
}
