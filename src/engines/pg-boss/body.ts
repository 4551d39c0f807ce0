import { eventKey } from '../../index.ts';

/** A row of the body table, as the queue selects it. */
export interface BodyRow {
  readonly id: number;
  readonly event_id: string;
  readonly type: string;
  readonly tenant: string | null;
  readonly created: number;
  readonly received_ms: number;
  readonly traceparent: string | null;
  readonly headers: string;
  readonly body: Uint8Array;
}

/** What a delivery and a dead letter have in common. */
export function readBody(row: BodyRow) {
  const tenant = row.tenant ?? undefined;
  return {
    key: eventKey(tenant, row.event_id),
    eventId: row.event_id,
    type: row.type,
    tenant,
    created: row.created,
    receivedAtMs: Math.round(row.received_ms),
    headers: JSON.parse(row.headers) as Readonly<Record<string, string>>,
    body: Uint8Array.from(row.body),
  };
}
