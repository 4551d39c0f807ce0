import { eventKey } from '../../index.ts';
import { bytesOf } from '../../shared/bytes.ts';

/** A row of the body table, as an engine selects it. */
export interface BodyRow {
  readonly id: number;
  readonly event_id: string;
  readonly type: string;
  readonly tenant: string | null;
  readonly created: number;
  readonly received_ms: number;
  readonly traceparent: string | null;
  readonly headers: string;
  readonly body: unknown;
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
    // Bytes are a Buffer, a Uint8Array or an ArrayBuffer by driver; this makes plain bytes of its own.
    body: Uint8Array.from(bytesOf(row.body) ?? []),
  };
}
