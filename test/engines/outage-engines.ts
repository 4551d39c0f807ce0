import { randomBytes } from 'node:crypto';
import type { Handler, WebhookHandler, WebhookQueue } from '@pathfinder/webhooks';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import type { PostgresClient } from '@pathfinder/webhooks/postgres';
import { redisStore } from '@pathfinder/webhooks/redis';
import { Redis } from 'ioredis';
import pg from 'pg';
import { recordingLogger } from '../support/deliver.ts';
import { newBoss, stopBoss } from '../support/services/pg-boss.ts';

/** How long a call of the store or the queue may take here. */
export const STORE_TIMEOUT_MS = 500;
const LEASE_MS = 1000;

/** A queue whose server is reached through something that fails. */
export interface OutageEngine {
  readonly name: string;
  readonly service: 'postgres' | 'redis';
  /** Effects commit with the mark that their handler is done. */
  readonly transactional: boolean;
  /** @param direct - The address of the server itself, for what is to be read of it. */
  open(through: URL, direct: URL): Promise<OutageQueue>;
}

export interface OutageQueue {
  readonly queue: WebhookQueue;
  /** Registers a handler that makes the effect of an event, after `work`. */
  register(webhooks: WebhookHandler, work: Handler<{ readonly id: string }>): void;
  /** How often the effect of an event was made. */
  effects(id: string): Promise<number>;
  close(): Promise<void>;
}

const pgBoss: OutageEngine = {
  name: 'pg-boss and Postgres',
  service: 'postgres',
  transactional: true,

  async open(through, direct) {
    const schema = `webhook_outage_${randomBytes(6).toString('hex')}`;
    const admin = new pg.Pool({ connectionString: direct.href, max: 1 });
    await admin.query(`CREATE SCHEMA ${schema}`);
    await admin.query(`CREATE TABLE ${schema}.effect (event_id text NOT NULL)`);
    const limits = { connectionTimeoutMillis: STORE_TIMEOUT_MS };
    const pool = new pg.Pool({
      connectionString: through.href,
      ...limits,
      options: `-c search_path=${schema}`,
      max: 10,
    });
    const maker = newBoss({ connectionString: direct.href, schema: `${schema}_boss`, schedule: false, max: 1 });
    await maker.start();
    await stopBoss(maker);
    const boss = newBoss({ connectionString: through.href, ...limits, schema: `${schema}_boss`, ...QUIET });
    boss.on('error', () => undefined);
    await boss.start();
    const queue = pgBossQueue(boss, {
      pool,
      leaseMs: LEASE_MS,
      pollMs: 20,
      statementTimeoutMs: STORE_TIMEOUT_MS,
      logger: recordingLogger(),
    });
    await queue.stats();
    return {
      queue,
      register(webhooks, work) {
        webhooks.on(
          '*',
          async (event, context) => {
            const { tx } = context as { readonly tx: PostgresClient };
            await tx.query(`INSERT INTO ${schema}.effect (event_id) VALUES ($1)`, [event.id]);
            await work(event, context);
          },
          { name: 'effect', transaction: true },
        );
      },
      async effects(id) {
        const { rows } = await admin.query(`SELECT count(*)::int AS made FROM ${schema}.effect WHERE event_id = $1`, [
          id,
        ]);
        return (rows[0] as { readonly made: number }).made;
      },
      async close() {
        await queue.close?.();
        await stopBoss(boss);
        await admin.query(`DROP SCHEMA ${schema} CASCADE; DROP SCHEMA ${schema}_boss CASCADE`);
        await Promise.all([pool.end(), admin.end()]);
      },
    };
  },
};

const bullmq: OutageEngine = {
  name: 'BullMQ and Redis',
  service: 'redis',
  transactional: false,

  async open(through, direct) {
    const prefix = `webhook_outage_${randomBytes(6).toString('hex')}:`;
    const admin = new Redis(direct.href);
    const limits = { maxRetriesPerRequest: null, retryStrategy: () => 50, connectTimeout: STORE_TIMEOUT_MS };
    const client = new Redis(through.href, { ...limits, lazyConnect: false });
    client.on('error', () => undefined);
    const logger = recordingLogger();
    const store = redisStore(client, { leaseMs: LEASE_MS, keyPrefix: prefix, logger });
    const connection = { url: through.href, ...limits };
    const queue = bullmqQueue({ connection, store, prefix: `${prefix}bull`, pollMs: 20, logger });
    await queue.stats();
    const made = new Map<string, number>();
    return {
      queue,
      register(webhooks, work) {
        webhooks.on(
          '*',
          async (event, context) => {
            await work(event, context);
            made.set(event.id, (made.get(event.id) ?? 0) + 1);
          },
          { name: 'effect' },
        );
      },
      effects: async (id) => made.get(id) ?? 0,
      async close() {
        await queue.close?.();
        client.disconnect();
        for await (const keys of admin.scanStream({ match: `${prefix}*`, count: 1000 })) {
          if (keys.length > 0) await admin.unlink(keys);
        }
        admin.disconnect();
      },
    };
  },
};

const QUIET = { schedule: false, supervise: false, max: 2 } as const;

export const outageEngines: readonly OutageEngine[] = [pgBoss, bullmq];
