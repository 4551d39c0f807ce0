import { randomBytes } from 'node:crypto';
import { type Claim, consoleLogger, type StoredEvent, type WebhookLogger, type WebhookStore } from '../../index.ts';
import { check, checkNames, duration, type OptionNames, positive } from '../../shared/check.ts';
import { unheeded } from '../../shared/guard.ts';
import { type Known, letHold } from '../shared/holds.ts';
import { DEAD_STATES, DONE, reasonOf, stateName } from '../shared/states.ts';
import { checkNamespace, storeKey } from '../shared/store-key.ts';
import { portOf, type RedisClient, scripts } from './driver.ts';
import { examineServer } from './examine.ts';
import { storeScripts } from './scripts.ts';

const DAY_MS = 86_400_000;
const CHECKPOINTED = ['lost', 'exists', 'saved'] as const;

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** Keeps several endpoints on one database apart. 1 to 64 printable characters. Default `default`. */
  readonly namespace?: string | undefined;
  /** How long a finished id is remembered. Default 7 days. */
  readonly retentionMs?: number | undefined;
  /** How long a claim lasts without a heartbeat. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /** Before the names of all keys. `A-Z a-z 0-9 _ . : { } -`, at most 64. Default `pathfinder_webhook:`. */
  readonly keyPrefix?: string | undefined;
  /** Told at the first use of a server that may lose what it took. Default: warnings to the console. */
  readonly logger?: Pick<WebhookLogger, 'warn'> | undefined;
}

const NAMES: OptionNames<RedisStoreOptions> = {
  namespace: true,
  retentionMs: true,
  leaseMs: true,
  keyPrefix: true,
  logger: true,
};
const PREFIX = /^[\w.:{}-]{1,64}$/;
const listening = new WeakSet<object>();

/**
 * Remembers events in Redis 6.2 or later, or a server that speaks like it, which any number of machines may share. One hash is
 * one event, changed by one script on one key, so a cluster will do; leases are measured by the server's clock. It is as durable
 * as the server: with `appendonly yes` a crash of it or its machine may lose the last two seconds, unless `appendfsync` is
 * `always`, and a failover what had not reached the replica, so that what was acknowledged or done then is run again or lost.
 * Versions of entities (`isStale`) are kept for good.
 *
 * @param client - Of ioredis or of node-redis, a cluster too. It stays the caller's to close.
 * @throws TypeError for options that make no sense, and for what is no client.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): WebhookStore {
  checkNames('redisStore', options, NAMES);
  const { keyPrefix = 'pathfinder_webhook:', logger = consoleLogger } = options;
  check(typeof keyPrefix === 'string' && PREFIX.test(keyPrefix), '`keyPrefix`', `a text that matches ${PREFIX.source}`);
  const namespace = checkNamespace(options.namespace ?? 'default');
  const retentionMs = Math.ceil(positive('retentionMs', options.retentionMs ?? 7 * DAY_MS));
  check(Number.isFinite(retentionMs), '`retentionMs`', 'a finite number');
  const leaseMs = duration('leaseMs', options.leaseMs ?? 30_000);
  const port = portOf('redisStore', client);
  listenTo(client, logger);
  const call = afterExamination(port, logger);
  const eventKey = (key: string) => `${keyPrefix}event:${storeKey(namespace, key)}`;
  const versionKey = (entity: string) => `${keyPrefix}version:${storeKey(namespace, entity)}`;
  // Tokens are unique for ever, without randomness at each claim.
  const tokenPrefix = randomBytes(12).toString('base64url');
  let tokens = 0;

  const untilForgotten = (forMs: number) => Math.ceil(forMs) + retentionMs;
  const changes = async (name: keyof typeof storeScripts, key: string, ...values: readonly (string | number)[]) =>
    Number(await call(name, eventKey(key), ...values)) === 1;

  const store: WebhookStore = {
    durable: true,
    shared: true,
    retentionMs,
    leaseMs,

    async claim(key, { leaseMs: forMs, bodyHash }) {
      const token = `${tokenPrefix}.${(tokens++).toString(36)}`;
      return readClaim(await call('claim', eventKey(key), token, bodyHash, forMs, untilForgotten(forMs)), token);
    },

    extend: (key, token, forMs) => changes('extend', key, token, forMs, untilForgotten(forMs)),

    async checkpoint(key, token, step, value) {
      const answer = Number(await call('checkpoint', eventKey(key), token, step, value));
      return CHECKPOINTED[answer] ?? 'lost';
    },

    complete: (key, token) => changes('complete', key, token, retentionMs),

    fail(key, token, { retryInMs, dead, forget = false, error }) {
      if (forget) return changes('forget', key, token);
      // A claim that is given back is no lost one.
      const counts = error === undefined ? ([-1, 0] as const) : ([0, 1] as const);
      const told = [error === undefined ? 0 : 1, error ?? '', retentionMs] as const;
      if (dead) return changes('bury', key, token, ...counts, DEAD_STATES[dead], ...told);
      return changes('release', key, token, ...counts, retryInMs ?? 0, retryInMs === undefined ? 0 : 1, ...told);
    },

    get: async (key) => readEvent(await call('get', eventKey(key))),
    revive: (key, { steps }) => changes('revive', key, steps === 'keep' ? 1 : 0),

    async latest(entity) {
      const newest = await call('latest', versionKey(entity));
      return newest === null ? undefined : Number(newest);
    },

    advance: async (entity, version) => Number(await call('advance', versionKey(entity), version)) === 1,
    // Hashes expire by themselves.
    sweep: async () => 0,
    close: async () => undefined,
  };
  letHold(store, async (key, bodyHash) => readKnown(await call('hold', eventKey(key), bodyHash, retentionMs)));
  return store;
}

function readKnown(answer: unknown): Known | undefined {
  const [state, bodyHash = '', failures, held] = (answer as unknown[]).map(String);
  if (state === undefined) return undefined;
  return { state: stateName(Number(state)), bodyHash, failures: Number(failures), held: held === '1' };
}

/** Has the server examined before its first answer; until that has succeeded once, each call tries. */
function afterExamination(port: ReturnType<typeof portOf>, logger: Pick<WebhookLogger, 'warn'>) {
  const sources = scripts(storeScripts);
  let examined = false;
  let examining: Promise<void> | undefined;

  async function examine(): Promise<void> {
    examining ??= examineServer(port, logger).then(
      () => {
        examined = true;
        examining = undefined;
      },
      (error) => {
        examining = undefined;
        // A user that may not ask for INFO may still use the store.
        if (!String((error as Error | null)?.message).startsWith('NOPERM')) throw error;
        examined = true;
      },
    );
    await examining;
  }

  return async (name: keyof typeof storeScripts, key: string, ...values: readonly (string | number)[]) => {
    if (!examined) await examine();
    return port.call(sources[name], key, ...values);
  };
}

// A client without a listener takes the process down, or writes to the console, when its connection breaks.
function listenTo(client: RedisClient, logger: Pick<WebhookLogger, 'warn'>): void {
  if (listening.has(client)) return;
  listening.add(client);
  let toldAtMs = Number.NEGATIVE_INFINITY;
  client.on('error', (err: Error) => {
    // The client tries again several times a second.
    if (performance.now() - toldAtMs < 10_000) return;
    toldAtMs = performance.now();
    unheeded(() => logger.warn({ err }, 'The connection to Redis is broken; the client opens another one'));
  });
}

function readClaim(answer: unknown, token: string): Claim {
  const [status, first, second, third, replaced, ...steps] = (answer as unknown[]).map(String);
  if (status === 'done' || status === 'conflict') return { status };
  if (status === 'dead') return { status, failures: Number(first) };
  if (status === 'busy') return { status, retryAfterMs: Number(first) };
  return {
    status: 'acquired',
    token,
    attempt: Number(first),
    claims: Number(second),
    failures: Number(third),
    steps: pairs(steps),
    ...(replaced === '1' && { bodyReplaced: true }),
  };
}

function readEvent(answer: unknown): StoredEvent | undefined {
  const fields = pairs((answer as unknown[]).map(String));
  if (fields.s === undefined) return undefined;
  const state = Number(fields.s);
  const steps = Object.entries(fields).filter(([name]) => name.startsWith(':'));
  return {
    state: stateName(state),
    attempt: Number(fields.a),
    claims: Number(fields.c),
    failures: Number(fields.f),
    bodyHash: fields.h ?? '',
    error: fields.e,
    ...(state > DONE && { reason: reasonOf(state) }),
    steps: Object.fromEntries(steps.map(([name, value]) => [name.slice(1), value])),
  };
}

/** Names and values that follow one another. */
function pairs(all: readonly string[]): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < all.length; i += 2) found.set(all[i] ?? '', all[i + 1] ?? '');
  return Object.fromEntries(found);
}
