import { FAILED, FREE, GIVEN_UP, UNHANDLED } from '../shared/states.ts';

/** What a queue does to the rows of its store, and to their bodies. Parameters are in the order of the question marks. */
export function queueStatements(p: string) {
  return {
    insertQueued: `INSERT INTO ${p}event (key, state, attempt, claims, failures, body_hash, until_ms, held, queue, due_ms)
      VALUES (?, ${FREE}, 0, 0, 0, ?, ?, 1, ?, ?) ON CONFLICT (key) DO NOTHING`,
    insertBody: `INSERT INTO ${p}body (id, event_id, type, tenant, created, received_ms, traceparent, headers, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    dropBody: `DELETE FROM ${p}body WHERE id = ?`,
    attach: `UPDATE ${p}event SET queue = ?, due_ms = ?, held = 1, expires_ms = NULL WHERE id = ?`,
    replace: `UPDATE ${p}event SET body_hash = ?, steps = NULL WHERE id = ?`,
    anyDue: `SELECT 1 FROM ${p}event WHERE queue = ? AND due_ms <= ? LIMIT 1`,
    nextDue: `SELECT due_ms FROM ${p}event WHERE queue = ? AND due_ms > ? ORDER BY due_ms LIMIT 1`,
    // The order of the index, so that a long backlog costs no sorting.
    due: `SELECT e.attempt, e.claims, e.failures, e.body_hash, e.steps, b.* FROM ${p}event e CROSS JOIN ${p}body b
      WHERE b.id = e.id AND e.queue = ? AND e.due_ms <= ? ORDER BY e.due_ms, e.id LIMIT ?`,
    countPending: `SELECT count(*) AS pending FROM ${p}event WHERE queue = ? AND due_ms IS NOT NULL`,
    stats: `SELECT coalesce(sum(active), 0) AS active, coalesce(sum(NOT active AND due_ms <= ?), 0) AS ready,
        coalesce(sum(NOT active AND due_ms > ?), 0) AS delayed, min(CASE WHEN NOT active THEN due_ms END) AS oldest
      FROM (SELECT due_ms, due_ms > ? AND state <> ${FREE} AS active
        FROM ${p}event WHERE queue = ? AND due_ms IS NOT NULL)`,
    countDead: `SELECT (SELECT count(*) FROM ${p}event WHERE queue = ? AND ${GIVEN_UP}) AS dead,
      (SELECT count(*) FROM ${p}event WHERE queue = ? AND state = ${UNHANDLED}) AS unhandled`,
  };
}

/** What is asked of dead letters. */
export function letterStatements(p: string) {
  const matching = (which: string) => `SELECT e.state, e.failures, e.until_ms, e.error, b.* FROM ${p}event e
    CROSS JOIN ${p}body b WHERE b.id = e.id AND ${which} AND e.queue = ? AND (? IS NULL OR e.state = ?)
    AND e.until_ms >= ? AND (e.expires_ms IS NULL OR e.expires_ms > ?)
    AND (b.type = ? OR substr(b.type, 1, ?) = ?) AND (? IS NULL OR b.tenant = ?) ORDER BY e.until_ms, e.id LIMIT ?`;
  return {
    letterBody: `SELECT * FROM ${p}body WHERE id = ?`,
    // Each has its index, so that what no handler matched, which may be much, does not stand in the way of the rest.
    givenUp: matching(GIVEN_UP.replace('state', 'e.state')),
    unhandled: matching(`e.state = ${UNHANDLED}`),
    dead: `SELECT * FROM ${p}event WHERE id = ? AND state >= ${FAILED}`,
  };
}
