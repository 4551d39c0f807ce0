import { randomUUID } from 'node:crypto';
import type { QueuedDelivery } from '@pathfinder/webhooks';
import { Queue, Worker } from 'bullmq';
import { z } from 'zod';
import { scripts } from '../../../src/engines/redis/driver.ts';
import { storeScripts } from '../../../src/engines/redis/scripts.ts';
import { newName, type PostgresPlace, type RedisPlace } from './places.ts';

const LEASE_MS = 30_000;
const RETENTION_MS = 7 * 86_400_000;
const SECONDS = 3600;
const BATCH = 10;

const Event = z.looseObject({
  id: z.string(),
  type: z.literal('user.created'),
  api_version: z.string(),
  created: z.number().int(),
  data: z.looseObject({
    user: z.looseObject({ id: z.string(), username: z.string(), email: z.string(), roles: z.array(z.string()) }),
  }),
});

/** An engine as somebody drives it by hand. */
export interface ByHand {
  enqueue(delivery: QueuedDelivery): Promise<unknown>;
  /** Works off so many events, ten at a time. */
  drain(events: number): Promise<void>;
  close(): Promise<void>;
}

/** BullMQ by hand: with the same claims and checks of an event, or with nothing beside it. */
export async function bullmqByHand({ client, connection }: RedisPlace, claims: boolean): Promise<ByHand> {
  const name = newName();
  const queue = new Queue(name, { connection });
  const sources = scripts(storeScripts);
  for (const { text } of Object.values(sources)) await client.script('LOAD', text);

  async function work(data: { readonly key: string; readonly body: string; readonly bodyHash: string }): Promise<void> {
    if (!claims) return;
    const token = randomUUID();
    const key = `${name}:${data.key}`;
    const values = [token, data.bodyHash, LEASE_MS, LEASE_MS + RETENTION_MS];
    const [status] = (await client.evalsha(sources.claim.sha, 1, key, ...values)) as string[];
    if (status !== 'acquired') return;
    Event.parse(JSON.parse(Buffer.from(data.body, 'base64').toString()));
    await client.evalsha(sources.complete.sha, 1, key, token, RETENTION_MS);
  }

  return {
    async enqueue({ body, ...rest }) {
      // The event may be known with other bytes, which is a conflict, or done, which is a duplicate.
      if (claims) await client.hmget(`${name}:${rest.key}`, 's', 'h');
      return queue.add(
        rest.type,
        { ...rest, body: Buffer.from(body).toString('base64') },
        { jobId: `wh_${rest.eventId}`, removeOnComplete: true },
      );
    },
    async drain(events) {
      let left = events;
      let onLast = () => {};
      const last = new Promise<void>((resolve) => {
        onLast = resolve;
      });
      const worker = new Worker(name, ({ data }) => work(data), { connection, concurrency: BATCH });
      worker.on('completed', () => {
        if (--left === 0) onLast();
      });
      await last;
      await worker.close();
    },
    close: () => queue.close(),
  };
}

/**
 * pg-boss by hand: with a row for each event beside its job, claimed and completed with it, in a transaction for each; or with
 * nothing beside it.
 */
export async function pgBossByHand({ pool, boss }: PostgresPlace, claims: boolean): Promise<ByHand> {
  const name = newName();
  await boss.createQueue(name);
  await pool.query(`CREATE TABLE ${name} (key text PRIMARY KEY, body_hash text NOT NULL, state int NOT NULL, token text,
    attempt int NOT NULL, lease_until timestamptz, expires_at timestamptz, body bytea)`);
  const sql = {
    insert: `INSERT INTO ${name} (key, body_hash, state, attempt, body) VALUES ($1, $2, 0, 0, $3) ON CONFLICT (key) DO NOTHING`,
    claim: `UPDATE ${name} SET state = 1, token = $2, attempt = attempt + 1, lease_until = clock_timestamp() + interval '30 s'
      WHERE key = $1 AND (state = 0 OR state = 1 AND lease_until <= clock_timestamp()) RETURNING body`,
    complete: `UPDATE ${name} SET state = 2, body = NULL, expires_at = clock_timestamp() + interval '7 days'
      WHERE key = $1 AND token = $2 AND state = 1`,
  };

  async function inTransaction(
    work: (db: { executeSql(text: string, values: unknown[]): Promise<{ rows: unknown[] }> }) => Promise<unknown>,
  ) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await work({ executeSql: (text, values) => client.query(text, values) });
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  }

  async function run(id: string, key: string): Promise<void> {
    const token = randomUUID();
    const { rows } = await pool.query({ name: `${name}c`, text: sql.claim, values: [key, token] });
    if (rows.length === 0) return;
    Event.parse(JSON.parse((rows[0] as { body: Buffer }).body.toString()));
    await inTransaction(async (db) => {
      await db.executeSql(sql.complete, [key, token]);
      await boss.complete(name, id, {}, { db });
    });
  }

  return {
    async enqueue({ key, bodyHash, body }) {
      const options = { expireInSeconds: SECONDS };
      if (!claims) return boss.send(name, { key, body: Buffer.from(body).toString('base64') }, options);
      return inTransaction(async (db) => {
        await db.executeSql(sql.insert, [key, bodyHash, Buffer.from(body)]);
        await boss.send(name, { key }, { ...options, db });
      });
    },
    async drain(events) {
      for (let done = 0; done < events; ) {
        const jobs = await boss.fetch<{ key: string }>(name, { batchSize: BATCH });
        if (claims) await Promise.all(jobs.map(({ id, data }) => run(id, data.key)));
        else if (jobs.length > 0)
          await boss.complete(
            name,
            jobs.map(({ id }) => id),
          );
        done += jobs.length;
      }
    },
    close: async () => undefined,
  };
}
