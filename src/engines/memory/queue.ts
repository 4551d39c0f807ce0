import {
  consoleLogger,
  type Enqueued,
  memoryStore,
  type QueuedDelivery,
  type QueueStats,
  type StoredEvent,
  type WebhookLogger,
  type WebhookQueue,
  type WorkOutcome,
} from '../../index.ts';
import { checkNames, duration, type OptionNames, positive } from '../../shared/check.ts';
import { createSteadyClock } from '../../shared/steady-clock.ts';
import { describeError } from '../../shared/text.ts';
import { noteClaims } from '../shared/taken-claims.ts';
import type { Room, Taken } from '../shared/work-source.ts';
import { createWorkers } from '../shared/workers.ts';
import { type Entry, lettersOf } from './letters.ts';
import { memoryRowsOf } from './store.ts';

const CLOSE_MS = 10_000;

/** Options of {@link memoryQueue}. */
export interface MemoryQueueOptions {
  /** Says that what it accepted may be lost with the process. Required. */
  readonly allowVolatile: true;
  /** Most events that wait or run. Beyond it `enqueue` rejects, and the reply is 503. Default 100,000. */
  readonly maxPending?: number | undefined;
  /** How long a finished id is remembered. Default 7 days. */
  readonly retentionMs?: number | undefined;
  /** How long a claim lasts without a heartbeat. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Pick<WebhookLogger, 'warn' | 'error'> | undefined;
}

const NAMES: OptionNames<MemoryQueueOptions> = {
  allowVolatile: true,
  maxPending: true,
  retentionMs: true,
  leaseMs: true,
  now: true,
  logger: true,
};

/**
 * A queue in this process, for tests: what the durable queues do, until the process ends.
 *
 * @throws TypeError without `allowVolatile: true`.
 */
export function memoryQueue(options: MemoryQueueOptions): WebhookQueue {
  if (options?.allowVolatile !== true) {
    throw new TypeError(
      'memoryQueue loses what it accepted with the process. Pass { allowVolatile: true } in tests; else use sqliteQueue.',
    );
  }
  checkNames('memoryQueue', options, NAMES);
  const { now = createSteadyClock(), logger = consoleLogger, retentionMs, leaseMs, maxPending = 100_000 } = options;
  if (leaseMs !== undefined) duration('leaseMs', leaseMs);
  positive('maxPending', maxPending);
  // Dead letters are listed by when they failed, as people name it.
  const wallClock = options.now ?? (() => Date.now());
  const base = memoryStore({ now, logger, ...(retentionMs === undefined ? {} : { retentionMs }) });
  const storeRows = memoryRowsOf(base);
  const claims = noteClaims(leaseMs === undefined ? base : { ...base, leaseMs });
  const { store } = claims;
  // The map keeps events in the order in which they came.
  const entries = new Map<string, Entry>();
  let numbers = 0;

  function forgetExpired(): void {
    const nowMs = now();
    for (const [key, { expiresMs }] of entries) if (expiresMs <= nowMs) entries.delete(key);
  }

  function discard({ delivery: { key } }: Entry): void {
    entries.delete(key);
    storeRows?.forget(key);
  }

  function refuseFull(): void {
    let pending = 0;
    for (const { state } of entries.values()) if (state !== 'dead') pending++;
    if (pending >= maxPending) throw new Error(`The queue holds its limit of ${maxPending} events.`);
  }

  // The state changes before the first wait, so that nobody else revives the event too.
  async function revive(entry: Entry, steps: 'keep' | 'clear'): Promise<boolean> {
    if (entry.state !== 'dead') return false;
    change(entry, 'waiting', now());
    entry.expiresMs = Number.POSITIVE_INFINITY;
    await store.revive(entry.delivery.key, { steps });
    return true;
  }

  async function admit(delivery: QueuedDelivery): Promise<Enqueued> {
    const { key, bodyHash } = delivery;
    forgetExpired();
    const known = await store.get(key);
    const entry = entries.get(key);
    if (bodyHash !== (entry?.delivery.bodyHash ?? heldHash(known) ?? bodyHash)) return 'conflict';
    if (entry) return (await revive(entry, 'keep')) ? 'revived' : 'duplicate';
    if (known?.state === 'done') return 'duplicate';
    refuseFull();
    // The bytes are copied: the caller may use its buffer again.
    const own = { ...delivery, body: Uint8Array.from(delivery.body) };
    entries.set(key, {
      number: ++numbers,
      delivery: own,
      state: 'waiting',
      sinceMs: now(),
      failures: 0,
      attempt: 0,
      error: '',
      reason: 'failed',
      expiresMs: Number.POSITIVE_INFINITY,
    });
    return known?.failures ? 'revived' : 'accepted';
  }

  async function record(entry: Entry, outcome: WorkOutcome): Promise<void> {
    const { key } = entry.delivery;
    if (outcome.kind === 'done' || outcome.kind === 'conflict') {
      entries.delete(key);
      return;
    }
    const failed = 'error' in outcome && outcome.error !== undefined;
    const stored = await store.get(key);
    // The store counts better, if it is the one that the handler claims in.
    entry.failures = stored?.failures ?? entry.failures + Number(failed);
    if (failed) entry.error = stored?.error ?? describeError(outcome.error);
    if (outcome.kind === 'retry') {
      change(entry, 'waiting', now() + outcome.inMs);
      return;
    }
    entry.reason = outcome.kind === 'unhandled' ? 'unhandled' : (stored?.reason ?? 'failed');
    if (outcome.kind === 'unhandled') entry.expiresMs = now() + store.retentionMs;
    change(entry, 'dead', wallClock());
  }

  function take(entry: Entry): Taken {
    const { delivery } = entry;
    const attempt = ++entry.attempt;
    change(entry, 'running', now());
    claims.begin(delivery.key);
    // A run that was given back has no say any more.
    const isOurs = () => entry.attempt === attempt && entry.state === 'running';
    return {
      delivery,
      attempt,
      async record(outcome) {
        claims.end(delivery.key);
        if (isOurs()) await record(entry, outcome);
      },
      async giveBack() {
        const token = claims.end(delivery.key);
        if (token !== undefined) await store.fail(delivery.key, token, { retryInMs: 0 });
        if (isOurs()) change(entry, 'waiting', now());
      },
    };
  }

  function takeReady(most: number): readonly Taken[] {
    const ready: Entry[] = [];
    for (const entry of entries.values()) {
      if (ready.length >= most) break;
      if (entry.state === 'waiting' && entry.sinceMs <= now()) ready.push(entry);
    }
    return ready.map(take);
  }

  function dueInMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { state, sinceMs } of entries.values()) if (state === 'waiting') dueMs = Math.min(dueMs, sinceMs);
    return Math.max(0, dueMs - now());
  }

  const source = { take: async ({ most }: Room) => takeReady(most()), dueInMs };
  const workers = createWorkers(source, { pollMs: Number.POSITIVE_INFINITY, logger });

  return {
    durable: false,
    shared: false,
    store,
    async enqueue(delivery) {
      const enqueued = await admit(delivery);
      workers.wake();
      return enqueued;
    },
    start: async (work, startOptions) => workers.start(work, startOptions),
    stop: (stopOptions) => workers.stop(stopOptions),
    drain: (work, drainOptions) => workers.drain(work, drainOptions),
    deadLetters: lettersOf(entries, { forgetExpired, revive, discard, wake: () => workers.wake() }),
    async stats() {
      forgetExpired();
      return statsOf([...entries.values()], now());
    },
    close: () => workers.stop({ timeoutMs: CLOSE_MS }),
  };
}

/** The hash that an event is known with; that of one which failed may change. */
function heldHash(known: StoredEvent | undefined): string | undefined {
  return known && known.state !== 'free' ? known.bodyHash : undefined;
}

function change(entry: Entry, state: Entry['state'], sinceMs: number): void {
  entry.state = state;
  entry.sinceMs = sinceMs;
}

function statsOf(entries: readonly Entry[], nowMs: number): QueueStats {
  const inState = (state: Entry['state']) => entries.filter((entry) => entry.state === state);
  const waiting = inState('waiting');
  const dead = inState('dead');
  const unhandled = dead.filter(({ reason }) => reason === 'unhandled').length;
  const ready = waiting.filter(({ sinceMs }) => sinceMs <= nowMs);
  return {
    ready: ready.length,
    active: inState('running').length,
    delayed: waiting.length - ready.length,
    dead: dead.length - unhandled,
    unhandled,
    oldestReadyMs: ready.reduce((mostMs, { sinceMs }) => Math.max(mostMs, nowMs - sinceMs), 0),
  };
}
