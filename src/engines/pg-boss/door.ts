import type { Enqueued, QueuedDelivery, WebhookLogger } from '../../index.ts';
import { unheeded } from '../../shared/guard.ts';
import type { PostgresClient } from '../postgres/driver.ts';
import { isOfOneStatement } from '../postgres/session.ts';
import { createBatches } from '../shared/batches.ts';
import { ACTIVE, DONE, FREE } from '../shared/states.ts';
import { newJobId, type SentJob } from './boss.ts';
import type { QueueTools } from './tools.ts';

const MOST_DELIVERIES = 100;

export interface DoorOptions {
  readonly namespace: string;
  readonly logger: Pick<WebhookLogger, 'warn'>;
}

interface KnownRow {
  readonly id: number;
  readonly state: number;
  readonly body_hash: string;
  readonly held: boolean;
  readonly queue: string | null;
  readonly failures: number;
  readonly job_id: string | null;
  readonly wait_ms: number;
  readonly expired: boolean;
}

interface Admission {
  readonly enqueued: Enqueued;
  readonly job?: SentJob | undefined;
}

/** Takes deliveries in: event, bytes and job of all that arrive at the same time in one transaction. */
export function createDoor(
  { session, sql, boss, keyOf }: QueueTools,
  { namespace, logger }: DoorOptions,
): (delivery: QueuedDelivery) => Promise<Enqueued> {
  async function insert(
    deliveries: readonly QueuedDelivery[],
    tx: PostgresClient,
  ): Promise<ReadonlyMap<string, SentJob>> {
    const column = <T>(of: (delivery: QueuedDelivery) => T) => deliveries.map(of);
    const rows = await session.run<{ readonly id: number; readonly key: string; readonly job_id: string }>(
      sql.insert,
      [
        column(({ key }) => keyOf(key)),
        column(({ bodyHash }) => bodyHash),
        column(newJobId),
        column(({ eventId }) => eventId),
        column(({ type }) => type),
        column(({ tenant }) => tenant ?? null),
        column(({ created }) => created),
        column(({ receivedAtMs }) => receivedAtMs),
        column(({ traceparent }) => traceparent ?? null),
        column(({ headers }) => JSON.stringify(headers)),
        column(({ body }) => bufferOf(body)),
        namespace,
      ],
      tx,
    );
    return new Map(rows.map(({ id, key, job_id }) => [key, { id: job_id, eventId: id, inMs: 0 }]));
  }

  async function admit(deliveries: readonly QueuedDelivery[]): Promise<readonly Enqueued[]> {
    return session.begin(async (tx) => {
      const inserted = await insert(deliveries, tx);
      const admissions: Admission[] = [];
      for (const delivery of deliveries) {
        const job = inserted.get(keyOf(delivery.key));
        admissions.push(job ? { enqueued: 'accepted', job } : await admitKnown(delivery, tx));
      }
      await boss.send(
        admissions.flatMap(({ job }) => job ?? []),
        tx,
      );
      return admissions.map(({ enqueued }) => enqueued);
    });
  }

  async function admitKnown(delivery: QueuedDelivery, tx: PostgresClient): Promise<Admission> {
    const [row] = await session.run<KnownRow>(sql.find, [keyOf(delivery.key)], tx);
    // Deleted since the insertion that it stood in the way of.
    if (!row) return admitAgain(delivery, tx);
    if (row.expired) {
      await session.run(sql.dropBody, [row.id], tx);
      await session.run(sql.forget, [row.id], tx);
      return admitAgain(delivery, tx);
    }
    const refusal = refusalOf(row, delivery);
    if (refusal) return { enqueued: refusal };
    const sameBody = row.body_hash === delivery.bodyHash;
    if (!sameBody) await replaceBody(row, delivery, tx);
    const hasFailed = row.state > DONE || (row.state === FREE && row.failures > 0);
    return { enqueued: hasFailed ? 'revived' : 'accepted', job: await queueKnown(row, delivery, tx) };
  }

  async function admitAgain(delivery: QueuedDelivery, tx: PostgresClient): Promise<Admission> {
    const job = (await insert([delivery], tx)).get(keyOf(delivery.key));
    if (!job) throw new Error('The row of this event changes faster than it can be read.');
    return { enqueued: 'accepted', job };
  }

  async function queueKnown(row: KnownRow, delivery: QueuedDelivery, tx: PostgresClient): Promise<SentJob> {
    const job = { id: newJobId(), eventId: row.id, inMs: row.state === ACTIVE ? row.wait_ms : 0 };
    if (row.state !== ACTIVE) await session.run(sql.revive, [row.id, true, job.id], tx);
    if (row.queue === null) {
      await session.run(sql.attach, [row.id, namespace, job.id], tx);
      // A body that was kept beyond the end of its event.
      await session.run(sql.dropBody, [row.id], tx);
      await session.run(sql.insertBody, [row.id, ...bodyValues(delivery)], tx);
    }
    return job;
  }

  async function replaceBody(row: KnownRow, { bodyHash, eventId }: QueuedDelivery, tx: PostgresClient): Promise<void> {
    await session.run(sql.replace, [row.id, bodyHash], tx);
    const message = 'A failed event came back with other bytes; they replace the old ones';
    unheeded(() => logger.warn({ event_id: eventId }, message));
  }

  return createBatches(admit, { most: MOST_DELIVERIES, keyOf: ({ key }) => key, isOfOne: isOfOneStatement });
}

/** Why an event that is known is not queued, if it is not. */
function refusalOf(row: KnownRow, { bodyHash }: QueuedDelivery): Enqueued | undefined {
  const isReplaceable = row.state === FREE && !row.held && row.queue === null;
  if (row.body_hash !== bodyHash && !isReplaceable) return 'conflict';
  return row.state === DONE || (row.queue !== null && row.state < DONE) ? 'duplicate' : undefined;
}

function bodyValues({ eventId, type, tenant, created, receivedAtMs, traceparent, headers, body }: QueuedDelivery) {
  const texts = [traceparent ?? null, JSON.stringify(headers)] as const;
  return [eventId, type, tenant ?? null, created, receivedAtMs, ...texts, bufferOf(body)];
}

// pg knows bytes by their being a Buffer.
function bufferOf(body: Uint8Array): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}
