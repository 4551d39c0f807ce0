import type { Enqueued, QueuedDelivery, QueueStats, WebhookLogger } from '../../index.ts';
import { unheeded } from '../../shared/guard.ts';
import { type ClaimedDelivery, runnableOf, runsAlone } from '../shared/claimed-delivery.ts';
import { type BodyRow, readBody } from '../shared/kept-body.ts';
import { ACTIVE, DONE, FREE } from '../shared/states.ts';
import type { SqliteConnection } from './connection.ts';
import { changesOf, prepareAll } from './driver.ts';
import { type DueEvent, type EventRow, type EventRows, isDead, isReplaceable } from './events.ts';
import { queueStatements } from './queue-sql.ts';

export interface DeliveryRowsOptions {
  readonly tablePrefix: string;
  readonly namespace: string;
  readonly leaseMs: number;
  readonly now: () => number;
  readonly logger: Pick<WebhookLogger, 'warn'>;
  /** The name of an event's row. */
  keyOf(key: string): string;
}

/** What a queue does to its rows, as plain statements: writes are for the caller to wrap in a transaction. */
export interface DeliveryRows {
  /** Decides what an event at the door is, and keeps its bytes where they are needed; when full, of what is known only. */
  admit(delivery: QueuedDelivery, full: boolean): Enqueued | 'full';
  /** Claims what is due, oldest first. One that has to run alone comes by itself, and only when `idle`; none passes it by. */
  take(most: number, idle: boolean): readonly ClaimedDelivery[];
  anyDue(): boolean;
  dueInMs(): number;
  countPending(): number;
  stats(): QueueStats;
}

type DueRow = BodyRow & DueEvent & Pick<EventRow, 'body_hash'>;

interface Counted {
  readonly ready: number;
  readonly active: number;
  readonly delayed: number;
  readonly oldest: number | null;
}

export function prepareDeliveryRows(
  { db }: SqliteConnection,
  events: EventRows,
  options: DeliveryRowsOptions,
): DeliveryRows {
  const { tablePrefix, namespace, leaseMs, now, logger, keyOf } = options;
  const sql = prepareAll(db, queueStatements(tablePrefix));

  function keepBody(id: number, delivery: QueuedDelivery): void {
    const { eventId, type, tenant, created, receivedAtMs, traceparent, headers, body } = delivery;
    const texts = [traceparent ?? null, JSON.stringify(headers)] as const;
    sql.insertBody.run(id, eventId, type, tenant ?? null, created, receivedAtMs, ...texts, body);
  }

  function insert(key: string, delivery: QueuedDelivery): boolean {
    const nowMs = now();
    const result = sql.insertQueued.run(key, delivery.bodyHash, nowMs, namespace, nowMs);
    if (changesOf(result) === 0) return false;
    keepBody(Number((result as { readonly lastInsertRowid: number | bigint }).lastInsertRowid), delivery);
    return true;
  }

  function admitKnown(row: EventRow, delivery: QueuedDelivery): Enqueued {
    const sameBody = row.body_hash === delivery.bodyHash;
    if (!sameBody && !isReplaceable(row)) return 'conflict';
    if (row.state === DONE || isQueued(row)) return 'duplicate';
    if (!sameBody) replaceBody(row, delivery);
    if (row.state !== ACTIVE) events.revive(row, true);
    if (row.queue === null) attachBody(row, delivery);
    return hasFailed(row) ? 'revived' : 'accepted';
  }

  function replaceBody(row: EventRow, { bodyHash, eventId }: QueuedDelivery): void {
    sql.replace.run(bodyHash, row.id);
    const message = 'A failed event came back with other bytes; they replace the old ones';
    unheeded(() => logger.warn({ event_id: eventId }, message));
  }

  // A receiver without a queue runs the event at this moment: when that fails, the workers have it.
  function attachBody(row: EventRow, delivery: QueuedDelivery): void {
    sql.attach.run(namespace, row.state === ACTIVE ? row.until_ms : now(), row.id);
    // A body that was kept beyond the end of its event.
    sql.dropBody.run(row.id);
    keepBody(row.id, delivery);
  }

  return {
    admit(delivery, full) {
      const key = keyOf(delivery.key);
      if (!full && insert(key, delivery)) return 'accepted';
      const row = events.find(key);
      if (full && (!row || events.isExpired(row) || (row.due_ms === null && row.state !== DONE))) return 'full';
      if (row && !events.isExpired(row)) return admitKnown(row, delivery);
      if (row) events.forget(row.id);
      insert(key, delivery);
      return 'accepted';
    },

    take(most, idle) {
      const rows = runnableOf(sql.due.all(namespace, now(), most) as DueRow[], idle);
      if (rows.length === 0) return [];
      const claimedAtMs = performance.now();
      const claims = events.claimDue(rows, leaseMs);
      return claims.map((claim, i) => {
        const row = rows[i] as DueRow;
        return { held: { claim, claimedAtMs }, alone: runsAlone(row), delivery: toDelivery(row) };
      });
    },

    anyDue: () => Boolean(sql.anyDue.get(namespace, now())),

    dueInMs() {
      const nowMs = now();
      const row = sql.nextDue.get(namespace, nowMs) as { readonly due_ms: number } | null | undefined;
      return row ? row.due_ms - nowMs : Number.POSITIVE_INFINITY;
    },

    countPending: () => (sql.countPending.get(namespace) as { readonly pending: number }).pending,

    stats() {
      const nowMs = now();
      const counted = sql.stats.get(nowMs, nowMs, nowMs, namespace) as Counted;
      const { ready, active, delayed, oldest } = counted;
      const { dead, unhandled } = sql.countDead.get(namespace, namespace) as Pick<QueueStats, 'dead' | 'unhandled'>;
      return { ready, active, delayed, dead, unhandled, oldestReadyMs: ready === 0 ? 0 : nowMs - (oldest ?? nowMs) };
    },
  };
}

/** The workers have it, or will. */
function isQueued(row: EventRow): boolean {
  return row.queue !== null && !isDead(row);
}

function hasFailed(row: EventRow): boolean {
  return isDead(row) || (row.state === FREE && row.failures > 0);
}

function toDelivery(row: DueRow): QueuedDelivery {
  return {
    ...readBody(row),
    bodyHash: row.body_hash,
    traceparent: row.traceparent ?? undefined,
  };
}
