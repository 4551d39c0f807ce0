import { inspect } from 'node:util';
import { WebhookHandler, type WebhookStore } from '@pathfinder/webhooks';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { postgresStore } from '@pathfinder/webhooks/postgres';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET } from '../support/deliver.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { startProxy } from '../support/services/proxy.ts';
import { testRedis } from '../support/services/redis.ts';
import {
  type OwnServer,
  type PostgresServerOptions,
  programs,
  startPostgres,
  startRedis,
} from '../support/services/servers.ts';
import { describeWith } from '../support/services/services.ts';

const UNAVAILABLE = refused(503, 'store_unavailable', RETRY);
const PROCESSED = answered('processed', 1);
const TIMEOUT_MS = 500;

/** A store whose server is at fault, what the log says of it, and how it is healed without a restart of the receiver. */
interface BadServer {
  readonly store: WebhookStore;
  readonly says: RegExp;
  heal?(): Promise<unknown>;
}

/** A delivery is refused, with one line that says why; once the server is healed it is taken, and known from then on. */
async function refusesUntilHealed({ store, says, heal }: BadServer): Promise<void> {
  const logger = recordingLogger();
  const webhooks = new WebhookHandler({ secret: SECRET, store, logger, storeTimeoutMs: TIMEOUT_MS });
  let runs = 0;
  webhooks.on('*', function work() {
    runs++;
  });
  const receive = () => webhooks.receive(deliveryOf(bodyOf({ id: 'evt_1' })));
  expect(await receive()).toEqual(UNAVAILABLE);
  expect(runs).toBe(0);
  expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
    ['warn', 'A verified webhook delivery has a problem'],
  ]);
  expect(causesOf(logger.lines[0]?.fields.err)).toMatch(says);
  if (!heal) return;
  await heal();
  await expect.poll(receive, { timeout: 10_000 }).toEqual(PROCESSED);
  expect(await receive()).toEqual(answered('duplicate'));
  expect(runs).toBe(1);
}

/** The messages of an error and of its causes. */
function causesOf(error: unknown): string {
  const { message, cause, errors = [] } = (error ?? {}) as AggregateError & { readonly cause?: unknown };
  return [message, ...errors.map(causesOf), cause === undefined ? '' : causesOf(cause)].join('\n');
}

const quiet = () => ({ logger: recordingLogger() });

function poolOn(url: string, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: TIMEOUT_MS, max: 3, ...options });
  onTestFinished(() => (pool.ended ? undefined : pool.end()));
  return pool;
}

async function ownPostgres(options: PostgresServerOptions = {}): Promise<OwnServer> {
  const server = await startPostgres(options);
  onTestFinished(() => server.dispose());
  return server;
}

describeWith('postgres', 'postgresStore with a faulty server', (url) => {
  const { pool, schema } = testPostgres(url);
  const inSchema = { connectionString: url, options: `-c search_path=${schema}` };

  it('reports a foreign table of its name, and creates its own once that is gone', async () => {
    const admin = pool({ max: 1 });
    await admin.query('CREATE TABLE foreign_event (id int)');
    const store = postgresStore(pool(), { tablePrefix: 'foreign_', ...quiet() });
    const heal = () => admin.query('DROP TABLE foreign_event');
    await refusesUntilHealed({
      store,
      says: /The table "foreign_event" is not the webhook store's.*no column key/s,
      heal,
    });
  });

  it('recreates its tables after they were dropped', async () => {
    const admin = pool({ max: 1 });
    const store = postgresStore(pool(), { tablePrefix: 'dropped_', ...quiet() });
    await store.get('any');
    await admin.query('DROP TABLE dropped_event, dropped_body, dropped_version');
    await refusesUntilHealed({ store, says: /relation "dropped_event" does not exist/, heal: async () => undefined });
  });

  it('reports a closed pool', async () => {
    const closed = pool();
    const store = postgresStore(closed, { tablePrefix: 'closed_', ...quiet() });
    await closed.end();
    await refusesUntilHealed({ store, says: /Cannot use a pool after calling end/ });
  });

  it('names the minimum version of PostgreSQL when the server is older', async () => {
    const { server_version_num: version } = (await pool({ max: 1 }).query('SHOW server_version_num')).rows[0];
    const old = (data: Buffer) =>
      Buffer.from(
        data
          .toString('latin1')
          .replace(version, '110022')
          .replace(/\d+\.\d+ \(/, '11.22 ('),
        'latin1',
      );
    const proxy = await startProxy(new URL(url), (data) => asBinary(data, Number(version), 110_022, old));
    onTestFinished(() => proxy.close());
    const through = poolOn(url.replace(/:\d+\//, `:${proxy.port}/`), { options: inSchema.options });
    await refusesUntilHealed({ store: postgresStore(through, quiet()), says: /needs PostgreSQL 12 or later/ });
  });

  it('accepts deliveries again after the pool had no free connection', async () => {
    const server = await ownPostgres({
      settings: ['-c', 'max_connections=4', '-c', 'superuser_reserved_connections=0', '-c', 'max_wal_senders=0'],
    });
    const others = poolOn(server.url, { max: 4 });
    const held = await Promise.all(Array.from({ length: 4 }, () => others.connect()));
    const heal = async () => {
      for (const client of held) client.release(true);
    };
    await refusesUntilHealed({
      store: postgresStore(poolOn(server.url), quiet()),
      says: /too many clients|connection slots/,
      heal,
    });
  });

  it('accepts deliveries again after the server was down', async () => {
    const server = await ownPostgres();
    await server.kill();
    const store = postgresStore(poolOn(server.url), quiet());
    await refusesUntilHealed({ store, says: /ECONNREFUSED/, heal: () => server.start() });
  });

  it('accepts deliveries again after the server was read-only', async () => {
    const server = await ownPostgres();
    const admin = poolOn(server.url, { max: 1 });
    const turn = async (state: string) => {
      await admin.query(`ALTER SYSTEM SET default_transaction_read_only = ${state}`);
      await admin.query('SELECT pg_reload_conf()');
    };
    const store = postgresStore(poolOn(server.url), quiet());
    await store.get('any');
    await turn('on');
    await expect
      .poll(async () => (await admin.query('SHOW default_transaction_read_only')).rows)
      .toEqual([{ default_transaction_read_only: 'on' }]);
    const heal = async () => {
      await admin.query('SET default_transaction_read_only = off');
      await turn('off');
    };
    await refusesUntilHealed({ store, says: /read-only transaction/, heal });
  });

  it('accepts deliveries again after the password was wrong', async () => {
    const server = await ownPostgres({ password: 'right' });
    const store = postgresStore(poolOn(server.url.replace(':right@', ':wrong@')), quiet());
    const heal = () => poolOn(server.url, { max: 1 }).query("ALTER ROLE postgres PASSWORD 'wrong'");
    await refusesUntilHealed({ store, says: /password authentication failed/, heal });
  });
});

/** A number that the server sends in the binary or in the text format, as the driver asked. */
function asBinary(data: Buffer, from: number, to: number, asText: (data: Buffer) => Buffer): Buffer {
  const found = data.indexOf(numberOf(from));
  if (found === -1) return asText(data);
  return Buffer.concat([data.subarray(0, found), numberOf(to), data.subarray(found + 4)]);
}

function numberOf(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

async function ownRedis(options?: readonly string[]): Promise<OwnServer> {
  const server = await startRedis(options);
  onTestFinished(() => server.dispose());
  return server;
}

function clientOn(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: 1 });
  onTestFinished(() => client.disconnect());
  return client;
}

describeWith('redis', 'redisStore with a faulty server', (url) => {
  const { ioredis, keyPrefix } = testRedis(url);

  it('reports a foreign value under its key, and accepts the event once that is gone', async () => {
    const key = `${keyPrefix}event:default\nevt_1`;
    await ioredis.set(key, 'of somebody else');
    const store = redisStore(ioredis, { keyPrefix, ...quiet() });
    await refusesUntilHealed({ store, says: /WRONGTYPE/, heal: () => ioredis.del(key) });
  });

  it('reports a closed client', async () => {
    const client = clientOn(url);
    client.disconnect();
    await refusesUntilHealed({ store: redisStore(client, { keyPrefix, ...quiet() }), says: /Connection is closed/ });
  });

  it('names the minimum version of Redis when the server is older', async () => {
    const old = (data: Buffer) =>
      Buffer.from(data.toString('latin1').replace(/redis_version:\d/, 'redis_version:5'), 'latin1');
    const proxy = await startProxy(new URL(url), old);
    onTestFinished(() => proxy.close());
    const store = redisStore(clientOn(`redis://127.0.0.1:${proxy.port}`), { keyPrefix, ...quiet() });
    await refusesUntilHealed({ store, says: /needs Redis 6\.2 or later; this server is 5\./ });
  });

  it('accepts deliveries again after the server was down', async () => {
    const server = await ownRedis();
    await server.kill();
    const store = redisStore(clientOn(server.url), quiet());
    await refusesUntilHealed({ store, says: /Reached the max retries|no answer/, heal: () => server.start() });
  });

  it('changes nothing on a full server, and accepts deliveries again when there is room', async () => {
    const server = await ownRedis();
    const admin = clientOn(server.url);
    const store = redisStore(clientOn(server.url), quiet());
    const { token } = await acquired(store, 'running');
    await admin.config('SET', 'maxmemory', '1mb');
    await expect(store.complete('running', token)).rejects.toThrow(/OOM/);
    expect((await store.get('running'))?.state).toBe('active');
    await refusesUntilHealed({ store, says: /OOM/, heal: () => admin.config('SET', 'maxmemory', '0') });
    expect(await store.complete('running', token)).toBe(true);
  });

  it('logs no event bytes, step results or handler errors when the server is full', async () => {
    const server = await ownRedis();
    const admin = clientOn(server.url);
    const logger = recordingLogger();
    const store = redisStore(clientOn(server.url), { logger });
    const connection = { url: server.url, maxRetriesPerRequest: null };
    const queue = bullmqQueue({ connection, store, logger });
    onTestFinished(() => queue.close?.());
    const options = { secret: SECRET, logger, storeTimeoutMs: TIMEOUT_MS };
    const queued = new WebhookHandler({ ...options, queue });
    const inline = new WebhookHandler({ ...options, store, retry: { attempts: 1 } });
    inline.on('*', async function remembers(_, { once }) {
      await admin.config('SET', 'maxmemory', '1mb');
      await once('step', () => 'a secret of the step');
      throw new Error('not reached');
    });
    await inline.receive(deliveryOf(bodyOf({ id: 'evt_1' })));
    expect((await queued.receive(deliveryOf(bodyOf({ id: 'evt_2' })))).status).toBe(503);
    // As when the store is elsewhere, and the job alone is refused.
    const elsewhere = bullmqQueue({ connection, store: { ...store, get: async () => undefined }, logger });
    onTestFinished(() => elsewhere.close?.());
    const beside = new WebhookHandler({ ...options, queue: elsewhere });
    expect((await beside.receive(deliveryOf(bodyOf({ id: 'evt_3' })))).status).toBe(503);
    await admin.config('SET', 'maxmemory', '0');
    const log = inspect(logger.lines, { depth: null, showHidden: true, maxStringLength: null });
    expect(log).toContain('OOM');
    const base64 = bodyOf({ id: 'evt_3' }).toString('base64').slice(20, 60);
    for (const secret of ['ada@example.com', 'a secret of the step', base64]) expect(log).not.toContain(secret);
  });

  it('throws errors of ioredis without the command, whose arguments are bytes of an event', async () => {
    const server = await ownRedis();
    const admin = clientOn(server.url);
    const store = redisStore(clientOn(server.url), quiet());
    const connection = { url: server.url, maxRetriesPerRequest: null };
    const queue = bullmqQueue({ connection, store: { ...store, get: async () => undefined }, ...quiet() });
    onTestFinished(() => queue.close?.());
    const { token } = await acquired(store, 'running');
    await queue.stats();
    await admin.config('SET', 'maxmemory', '1mb');
    const write = () => store.checkpoint('running', token, 'step', 'a secret of the step');
    const body = bodyOf({ id: 'evt_1' });
    const rest = { type: 'user.created', created: 1, headers: {}, receivedAtMs: Date.now() };
    const enqueue = () => queue.enqueue({ key: 'evt_1', eventId: 'evt_1', body, bodyHash: '', ...rest });
    const errors: unknown[] = [];
    // The second write finds its script known to the server, so that the error comes from the other of the two commands.
    for (const work of [write, write, enqueue]) errors.push(await work().catch((error: unknown) => error));
    await admin.config('SET', 'maxmemory', '0');
    expect(errors.map((error) => [String(error).includes('OOM'), Object.hasOwn(error as Error, 'command')])).toEqual(
      Array(3).fill([true, false]),
    );
    const shown = inspect(errors, { depth: null, showHidden: true, maxStringLength: null });
    for (const secret of ['a secret of the step', body.toString('base64').slice(20, 60)]) {
      expect(shown).not.toContain(secret);
    }
  });

  it('accepts deliveries again after the server was a replica', async () => {
    const [primary, server] = [await ownRedis(), await ownRedis()];
    const admin = clientOn(server.url);
    await admin.replicaof('127.0.0.1', primary.port);
    const store = redisStore(clientOn(server.url), quiet());
    await refusesUntilHealed({ store, says: /READONLY/, heal: () => admin.replicaof('NO', 'ONE') });
  });

  it('accepts deliveries again after the password was wrong', async () => {
    const server = await ownRedis(['--requirepass', 'right']);
    const admin = clientOn(server.url.replace('redis://', 'redis://:right@'));
    const client = clientOn(server.url.replace('redis://', 'redis://:wrong@'));
    const heal = async () => {
      await admin.config('SET', 'requirepass', 'wrong');
      // As every client does when its connection breaks.
      client.disconnect(true);
    };
    await refusesUntilHealed({ store: redisStore(client, quiet()), says: /NOAUTH|WRONGPASS|invalid/, heal });
  });
});

async function acquired(store: WebhookStore, key: string) {
  const claim = await store.claim(key, { leaseMs: 60_000, bodyHash: 'a'.repeat(64) });
  if (claim.status !== 'acquired') throw new Error(`${key} is ${claim.status}.`);
  return claim;
}

describe.skipIf(!programs.redis || !programs.postgres)('the first use of a store', () => {
  const warningsAfter = async (open: (logger: ReturnType<typeof recordingLogger>) => WebhookStore) => {
    const logger = recordingLogger();
    const store = open(logger);
    for (let i = 0; i < 3; i++) await store.get('any');
    return logger.lines.map(({ message }) => message);
  };

  it('warns about a Redis without a file, with an eviction policy or as a replica, and nothing else', async () => {
    const [sound, bad] = [
      await ownRedis(),
      await ownRedis(['--appendonly', 'no', '--maxmemory-policy', 'allkeys-lru']),
    ];
    expect(await warningsAfter((logger) => redisStore(clientOn(sound.url), { logger }))).toEqual([]);
    expect(await warningsAfter((logger) => redisStore(clientOn(bad.url), { logger }))).toEqual([
      expect.stringContaining('does not append to a file'),
      expect.stringContaining('maxmemory-policy allkeys-lru'),
    ]);
    await clientOn(sound.url).replicaof('127.0.0.1', bad.port);
    expect(await warningsAfter((logger) => redisStore(clientOn(sound.url), { logger }))).toEqual([
      expect.stringContaining('is a replica'),
    ]);
  });

  it('warns about a Postgres that does not wait for its disk and a pool that waits forever, and nothing else', async () => {
    const server = await ownPostgres();
    expect(await warningsAfter((logger) => postgresStore(poolOn(server.url), { logger }))).toEqual([]);
    const hasty = poolOn(server.url, { options: '-c synchronous_commit=off', connectionTimeoutMillis: 0 });
    expect(await warningsAfter((logger) => postgresStore(hasty, { logger }))).toEqual([
      expect.stringContaining('synchronous_commit = off'),
      expect.stringContaining('connectionTimeoutMillis'),
    ]);
  });

  it('warns about a Postgres replica', async () => {
    const server = await ownPostgres();
    await postgresStore(poolOn(server.url), quiet()).get('any');
    const replica = await ownPostgres({ replicaOf: server });
    expect(await warningsAfter((logger) => postgresStore(poolOn(replica.url), { logger }))).toEqual([
      expect.stringContaining('is a replica'),
    ]);
  });
});
