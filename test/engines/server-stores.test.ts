import { inspect } from 'node:util';
import { WebhookHandler, type WebhookHandlerOptions, type WebhookStore } from '@pathfinder/webhooks';
import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import { type PostgresClient, postgresSchema, postgresStore } from '@pathfinder/webhooks/postgres';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Redis } from 'ioredis';
import type pg from 'pg';
import type PgBoss from 'pg-boss';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { answered, bodyOf, deliveryOf, recordingLogger, refused, SECRET } from '../support/deliver.ts';
import { newBoss, stopBoss } from '../support/services/pg-boss.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { testRedis } from '../support/services/redis.ts';
import { programs, startRedis } from '../support/services/servers.ts';
import { describeWith } from '../support/services/services.ts';

const PROCESSED = answered('processed', 1);
const DUPLICATE = answered('duplicate');
// Ids with what ends a statement, a text, a name, a script or an argument somewhere.
const HOSTILE = [
  "'; DROP TABLE pathfinder_webhook_event; --",
  '"; DROP TABLE x; --',
  "') RETURNING pg_sleep(10); --",
  '$1',
  '{other}',
  '*',
  "' .. redis.call('FLUSHALL') .. '",
  ']] redis.call("FLUSHALL") --[[',
  'KEYS[1]',
  'FLUSHALL',
  '%s%n',
  'evt 0',
];

function receiverOn(store: WebhookStore, options: Partial<WebhookHandlerOptions> = {}) {
  const webhooks = new WebhookHandler({ secret: SECRET, store, logger: recordingLogger(), ...options });
  const receive = (id: string, more: Readonly<Record<string, unknown>> = {}, tenant?: string) =>
    webhooks.receive(deliveryOf(bodyOf({ id, ...more }), tenant === undefined ? {} : { params: { tenant } }));
  return { webhooks, receive };
}

/** The promises of each store that machines share, in a database of the tests. */
function describePromises(name: string, open: () => WebhookStore): void {
  describe(name, () => {
    it('treats every id as data in statements and scripts', async () => {
      const { webhooks, receive } = receiverOn(open());
      const seen: string[] = [];
      webhooks.on('*', function work({ id }) {
        seen.push(id);
      });
      for (const id of HOSTILE) expect(await receive(id)).toEqual(PROCESSED);
      for (const id of HOSTILE) expect(await receive(id)).toEqual(DUPLICATE);
      expect(await receive(HOSTILE[0] ?? '', { created: 1 })).toEqual(refused(409, 'id_conflict'));
      expect(seen).toEqual(HOSTILE);
    });

    it('keeps tenants and ids apart whose concatenations are equal', async () => {
      const tenants: Partial<WebhookHandlerOptions> = {
        secret: ({ params }) => ({ secret: SECRET, tenant: params?.tenant ?? 'none' }),
      };
      const { webhooks, receive } = receiverOn(open(), tenants);
      let runs = 0;
      webhooks.on('*', function work() {
        runs++;
      });
      for (const [tenant, id] of [
        ['a:b', 'c'],
        ['a', 'b:c'],
        ['a', 'b'],
        ['a b', 'c'],
        ['a', 'b c'],
      ] as const) {
        expect(await receive(id, {}, tenant)).toEqual(PROCESSED);
      }
      expect(runs).toBe(5);
    });

    it('reports an event older than one already applied as stale, and no other', async () => {
      const { webhooks, receive } = receiverOn(open());
      const applied: string[] = [];
      webhooks.on('user.created', async function apply({ id }, { isStale }) {
        if (!(await isStale('user_1'))) applied.push(id);
      });
      for (const [id, created] of [
        ['evt_2', 200],
        ['evt_1', 100],
        ['evt_3', 300],
        ['evt_4', 300],
        ['evt_0', 299],
      ] as const) {
        expect(await receive(id, { created })).toEqual(PROCESSED);
      }
      expect(applied).toEqual(['evt_2', 'evt_3', 'evt_4']);
    });
  });
}

describeWith('redis', 'redisStore', (url) => {
  const { ioredis, keyPrefix } = testRedis(url);
  let stores = 0;
  const open = () => redisStore(ioredis, { keyPrefix, namespace: `promises_${stores++}`, logger: recordingLogger() });
  describePromises('redisStore', open);

  it.each(["a';", 'a b', 'a\n', '', 'x'.repeat(65), 7, null])('rejects %j as a key prefix', (bad) => {
    expect(() => redisStore(ioredis, { keyPrefix: bad as string })).toThrow(TypeError);
  });

  it.each([undefined, null, {}, 'redis://127.0.0.1', { get() {} }])(
    'rejects %j as a client and names the supported ones',
    (bad) => {
      expect(() => redisStore(bad as unknown as Redis)).toThrow(/ioredis.*npm install/);
    },
  );
});

describe.skipIf(programs.redis === undefined)('redisStore on a Redis without an append-only file', () => {
  it('forgets completed events on a restart as its warning says, and keeps them with a file', async () => {
    for (const [appendonly, second] of [
      ['no', PROCESSED],
      ['yes', DUPLICATE],
    ] as const) {
      const server = await startRedis(['--appendonly', appendonly]);
      const client = new Redis(server.url, { retryStrategy: () => 20 });
      client.on('error', () => undefined);
      onTestFinished(async () => {
        client.disconnect();
        await server.dispose();
      });
      const logger = recordingLogger();
      const { webhooks, receive } = receiverOn(redisStore(client, { logger }));
      webhooks.on('*', function work() {});
      expect(await receive('evt_1')).toEqual(PROCESSED);
      expect(logger.lines.map(({ message }) => message)).toEqual(
        appendonly === 'no' ? [expect.stringContaining('a restart of the server loses what it holds')] : [],
      );
      await server.restart();
      expect(await receive('evt_1')).toEqual(second);
    }
  });
});

describeWith('postgres', 'postgresStore', (url) => {
  const { pool, schema } = testPostgres(url);
  const logger = recordingLogger();
  let stores = 0;
  let shared: pg.Pool;
  beforeAll(async () => {
    shared = pool({ max: 10 });
    await shared.query('CREATE TABLE effect (event_id text NOT NULL)');
  });
  const open = (options = {}) => postgresStore(shared, { namespace: `promises_${stores++}`, logger, ...options });
  const effects = async () =>
    (await shared.query('SELECT event_id FROM effect ORDER BY 1')).rows.map((row) => row.event_id);
  const insert = (tx: unknown, id: string) =>
    (tx as PostgresClient).query('INSERT INTO effect (event_id) VALUES ($1)', [id]);
  describePromises('postgresStore', open);

  it.each(["a';", 'a"b', 'a;b', '', '1a', 'x'.repeat(41), 7, null])('rejects %j as a table prefix', (bad) => {
    expect(() => postgresStore(shared, { tablePrefix: bad as string })).toThrow(TypeError);
    expect(() => postgresSchema({ schema: `${bad}"` })).toThrow(TypeError);
  });

  it.each([undefined, null, {}, 'postgres://', { query() {}, connect() {} }])(
    'rejects %j as a pool and describes a valid one',
    (bad) => {
      expect(() => postgresStore(bad as unknown as pg.Pool)).toThrow(/new Pool/);
    },
  );

  it('hides rows that the server rejected from errors, since they hold event bytes', async () => {
    await shared.query(postgresSchema({ tablePrefix: 'strict_' }));
    await shared.query('ALTER TABLE strict_event ADD COLUMN extra int NOT NULL');
    const store = postgresStore(shared, { tablePrefix: 'strict_', logger });
    const error = await store.claim('evt_secret', { leaseMs: 1000, bodyHash: '' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: '23502', message: expect.stringContaining('"extra"') });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('evt_secret');
  });

  it('creates its tables once when eight stores start concurrently, also after a migration', async () => {
    const prefix = { tablePrefix: 'at_once_' };
    const all = Array.from({ length: 8 }, () => postgresStore(shared, { ...prefix, logger }));
    await Promise.all(all.map((store, i) => store.claim(`k${i}`, { leaseMs: 1000, bodyHash: '' })));
    for (let i = 0; i < 2; i++) await shared.query(postgresSchema(prefix));
    expect((await all[0]?.get('k7'))?.state).toBe('active');
  });

  it('needs no right to create tables when they exist in a schema outside the search path', async () => {
    const role = `${schema}_reader`;
    await shared.query(postgresSchema({ schema }));
    await shared.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA ${schema} TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
    const restricted = pool({ max: 2, options: `-c role=${role} -c search_path=pg_catalog` });
    const store = postgresStore(restricted, { schema, namespace: 'restricted', logger });
    expect((await store.claim('k', { leaseMs: 1000, bodyHash: '' })).status).toBe('acquired');
    await restricted.end();
    await shared.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  describe("a handler's transaction on Postgres", () => {
    it('commits the effect with the completion mark, and nothing of a failed run', async () => {
      await shared.query('DELETE FROM effect');
      const { webhooks, receive } = receiverOn(open(), { retry: { attempts: 3, baseMs: 1 } });
      let runs = 0;
      webhooks.on(
        '*',
        async ({ id }, { tx }) => {
          await insert(tx, id);
          if (++runs < 3) throw new Error('after the effect');
        },
        { name: 'effect', transaction: true },
      );
      expect(await receive('evt_1')).toEqual(PROCESSED);
      expect(await receive('evt_1')).toEqual(DUPLICATE);
      expect([runs, await effects()]).toEqual([3, ['evt_1']]);
    });

    it('fails when one of its statements failed, even if the error was caught', async () => {
      await shared.query('DELETE FROM effect');
      const { webhooks, receive } = receiverOn(open(), { retry: { attempts: 1 } });
      webhooks.on(
        '*',
        async ({ id }, { tx }) => {
          await insert(tx, id);
          await (tx as PostgresClient).query('SELECT 1 / 0').catch(() => undefined);
        },
        { name: 'effect', transaction: true },
      );
      expect((await receive('evt_1')).status).toBe(500);
      expect(await effects()).toEqual([]);
    });

    it('ends with its handler, after which its client rejects queries and release', async () => {
      const { webhooks, receive } = receiverOn(open());
      let kept: PostgresClient | undefined;
      webhooks.on(
        '*',
        (_, { tx }) => {
          kept = tx as PostgresClient;
          expect(() => kept?.release()).toThrow('belongs to the store');
        },
        { name: 'keeps', transaction: true },
      );
      expect(await receive('evt_1')).toEqual(PROCESSED);
      await expect(kept?.query('SELECT 1')).rejects.toThrow('This transaction is over');
    });

    it('survives a lost connection: nothing is committed and the next run succeeds', async () => {
      await shared.query('DELETE FROM effect');
      const { webhooks, receive } = receiverOn(open(), { retry: { attempts: 3, baseMs: 1 } });
      let runs = 0;
      webhooks.on(
        '*',
        async ({ id }, { tx }) => {
          const { rows } = await (tx as PostgresClient).query('SELECT pg_backend_pid() AS pid');
          await insert(tx, id);
          if (++runs === 1) await shared.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
          // The connection that is gone shows a moment later.
          await new Promise((resolve) => setTimeout(resolve, 50));
        },
        { name: 'effect', transaction: true },
      );
      expect(await receive('evt_1')).toEqual(PROCESSED);
      expect([runs, await effects()]).toEqual([2, ['evt_1']]);
    });

    it('delays no lease: handlers that hold all but two connections are extended', async () => {
      const few = pool({ max: 4 });
      const store = postgresStore(few, { namespace: 'few', leaseMs: 300, logger });
      const { webhooks, receive } = receiverOn(store);
      const attempts: number[] = [];
      webhooks.on(
        '*',
        async (_, { tx, fencingToken, signal }) => {
          await (tx as PostgresClient).query('SELECT pg_sleep(1)');
          signal.throwIfAborted();
          attempts.push(fencingToken);
        },
        { name: 'slow', transaction: true, timeoutMs: 10_000 },
      );
      const replies = await Promise.all(['evt_1', 'evt_2', 'evt_3', 'evt_4'].map((id) => receive(id)));
      expect(replies).toEqual([PROCESSED, PROCESSED, PROCESSED, PROCESSED]);
      expect(attempts).toEqual([1, 1, 1, 1]);
    });
  });

  describe('pgBossQueue', () => {
    const boss = newBoss({ connectionString: url, schema: `${schema}_boss` });
    beforeAll(() => boss.start());
    afterAll(async () => {
      await stopBoss(boss);
      await shared.query(`DROP SCHEMA ${schema}_boss CASCADE`);
    });
    const openQueue = (options = {}) =>
      pgBossQueue(boss, { pool: shared, namespace: `queue_${stores++}`, pollMs: 20, logger, ...options });
    const jobs = async (queue: string) => {
      const { rows } = await shared.query(
        `SELECT state::text FROM ${schema}_boss.job WHERE name = $1 ORDER BY created_on`,
        [queue],
      );
      return rows.map((row) => row.state);
    };

    it('deletes the job and the body when the event completes', async () => {
      const queue = openQueue({ namespace: 'ends' });
      const webhooks = new WebhookHandler({ secret: SECRET, queue, logger, retry: { attempts: 1 } });
      onTestFinished(() => webhooks.stop());
      webhooks.on('user.created', ({ id }) => {
        if (id === 'evt_bad') throw new Error('cannot');
      });
      for (const id of ['evt_good', 'evt_bad']) await webhooks.receive(deliveryOf(bodyOf({ id })));
      await webhooks.receive(deliveryOf(bodyOf({ id: 'evt_odd', type: 'user.deleted' })));
      expect(await jobs('pathfinder-webhooks-ends')).toEqual(['created', 'created', 'created']);
      expect(await webhooks.drain({ maxMs: 10_000 })).toBe(3);
      expect((await jobs('pathfinder-webhooks-ends')).sort()).toEqual(['completed', 'completed', 'failed']);
      const { rows } = await shared.query('SELECT event_id FROM pathfinder_webhook_body ORDER BY 1');
      expect(rows.map((row) => row.event_id)).toEqual(expect.arrayContaining(['evt_bad', 'evt_odd']));
      expect(rows.map((row) => row.event_id)).not.toContain('evt_good');
    });

    it('sends a job again that was deleted by hand', async () => {
      const queue = openQueue({ namespace: 'deleted', leaseMs: 300 });
      const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
      onTestFinished(() => webhooks.stop());
      const seen: string[] = [];
      webhooks.on('*', ({ id }) => void seen.push(id));
      await webhooks.receive(deliveryOf(bodyOf({ id: 'evt_1' })));
      await shared.query(`DELETE FROM ${schema}_boss.job WHERE name = 'pathfinder-webhooks-deleted'`);
      await webhooks.start();
      await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['evt_1']);
    });

    it('acknowledges nothing after its queue was deleted, and recreates it', async () => {
      const queue = openQueue({ namespace: 'gone' });
      const webhooks = new WebhookHandler({ secret: SECRET, queue, logger });
      const receive = (id: string) => webhooks.receive(deliveryOf(bodyOf({ id })));
      expect((await receive('evt_1')).status).toBe(202);
      await shared.query(`DELETE FROM ${schema}_boss.job WHERE name = 'pathfinder-webhooks-gone'`);
      await boss.deleteQueue('pathfinder-webhooks-gone');
      expect((await receive('evt_2')).status).toBe(503);
      expect(await queue.store.get('evt_2')).toBeUndefined();
      await expect.poll(async () => (await receive('evt_2')).status).toBe(202);
    });

    it.each([undefined, null, {}, { send() {}, work() {} }])(
      'rejects %j as pg-boss and names the version for this Node',
      (bad) => {
        expect(() => pgBossQueue(bad as unknown as PgBoss, { pool: shared })).toThrow(
          /pg-boss 1\d.*npm install pg-boss@1/,
        );
      },
    );
  });
});
