import type { TableNames } from '../postgres/schema.ts';
import { inMs, NOW, toMs } from '../postgres/sql.ts';
import { ACTIVE, DONE, FAILED, FREE, GIVEN_UP, UNHANDLED } from '../shared/states.ts';

const BODY = `b.id::float8 AS id, b.event_id, b.type, b.tenant, b.created::float8 AS created, ${toMs('b.received_at')} AS received_ms,
  b.traceparent, b.headers, b.body`;

/** What a queue does to the rows of its store, and to their bodies. */
export function queueStatements({ event, body }: TableNames) {
  return {
    // The parameters are an array for each column: $1 keys, $2 body hashes, $3 jobs, $4 event ids, $5 types, $6 tenants, $7 created, $8 received,
    // $9 traceparents, $10 headers, $11 bodies; $12 the queue.
    insert: `WITH input AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::float8[],
          $9::text[], $10::text[], $11::bytea[])
          AS i(key, body_hash, job_id, event_id, type, tenant, created, received_ms, traceparent, headers, body)
      ), taken AS (
        INSERT INTO ${event} (key, state, attempt, claims, failures, body_hash, until_at, held, queue, due_at, job_id)
        SELECT key, ${FREE}, 0, 0, 0, body_hash, ${NOW}, true, $12, ${NOW}, job_id FROM input
        ON CONFLICT (key) DO NOTHING RETURNING id, key, job_id
      ), kept AS (
        INSERT INTO ${body} (id, event_id, type, tenant, created, received_at, traceparent, headers, body)
        SELECT t.id, i.event_id, i.type, i.tenant, i.created, to_timestamp(i.received_ms / 1000), i.traceparent, i.headers, i.body
        FROM taken t JOIN input i ON i.key = t.key
      ) SELECT id::float8 AS id, key, job_id FROM taken`,
    insertBody: `INSERT INTO ${body} (id, event_id, type, tenant, created, received_at, traceparent, headers, body)
      VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), $7, $8, $9)`,
    dropBody: `DELETE FROM ${body} WHERE id = $1`,
    find: `SELECT id::float8 AS id, state, body_hash, held, queue, failures, job_id,
      greatest(0, ${toMs(`(until_at - ${NOW})`)}) AS wait_ms, coalesce(expires_at <= ${NOW}, false) AS expired
      FROM ${event} WHERE key = $1 FOR UPDATE`,
    forget: `DELETE FROM ${event} WHERE id = $1`,
    replace: `UPDATE ${event} SET body_hash = $2, steps = NULL WHERE id = $1`,
    // A receiver without a queue may run the event at this moment: when that fails, the workers have it.
    attach: `UPDATE ${event} SET queue = $2, job_id = $3, held = true, expires_at = NULL,
      due_at = CASE WHEN state = ${ACTIVE} THEN until_at ELSE ${NOW} END WHERE id = $1`,
    revive: `UPDATE ${event} SET state = ${FREE}, claims = 0, failures = 0, until_at = ${NOW}, held = true, error = NULL,
      steps = CASE WHEN $2::boolean AND state <> ${DONE} THEN steps END, expires_at = NULL, job_id = $3,
      due_at = CASE WHEN queue IS NOT NULL THEN ${NOW} END WHERE id = $1`,
    // The rows of jobs that were fetched.
    fetched: `SELECT e.job_id, e.due_at IS NOT NULL AS pending, ${toMs(`(e.until_at - ${NOW})`)} AS wait_ms, e.claims, e.failures,
      e.body_hash, ${BODY} FROM ${event} e JOIN ${body} b ON b.id = e.id WHERE e.id = ANY($1::bigint[]) AND e.queue = $2
      ORDER BY e.due_at, e.id FOR UPDATE OF e`,
    // The rows share the token, which no other claim of any of them has. $1 ids, $2 token, $3 lease.
    claim: `UPDATE ${event} SET state = ${ACTIVE}, token = $2, attempt = attempt + 1, claims = claims + 1,
      until_at = ${inMs('$3')}, due_at = ${inMs('$3')} WHERE id = ANY($1::bigint[])
      RETURNING id::float8 AS id, attempt, claims, failures, steps`,
    setJob: `UPDATE ${event} SET job_id = $2 WHERE id = $1`,
    // $1 keys, $2 tokens, $3 retention, $4 for how long the bodies are kept.
    complete: `WITH done AS (UPDATE ${event} e SET state = ${DONE}, held = false, expires_at = ${inMs('$3')}, error = NULL,
        steps = NULL, due_at = NULL FROM unnest($1::text[], $2::text[]) AS i(key, token)
        WHERE e.key = i.key AND e.token = i.token AND e.state = ${ACTIVE} RETURNING e.id, e.key, e.queue, e.job_id),
      kept AS (UPDATE ${body} SET keep_until_at = ${inMs('$4')}
        WHERE $4::float8 > 0 AND id IN (SELECT id FROM done WHERE queue IS NOT NULL)),
      dropped AS (DELETE FROM ${body} WHERE $4::float8 <= 0 AND id IN (SELECT id FROM done WHERE queue IS NOT NULL))
      SELECT key, job_id FROM done`,
    owned: `SELECT id::float8 AS id, job_id FROM ${event} WHERE key = $1 AND token = $2 AND state = ${ACTIVE} AND queue IS NOT NULL
      FOR UPDATE`,
    // Claims of workers that died: free again, their claim counted.
    freeLapsed: `UPDATE ${event} SET state = ${FREE}, token = NULL WHERE id IN (SELECT id FROM ${event}
        WHERE queue = $1 AND due_at <= ${NOW} AND state = ${ACTIVE} ORDER BY due_at, id LIMIT $2::int FOR UPDATE SKIP LOCKED)
      RETURNING id::float8 AS id, job_id`,
    // Events that have waited for longer than they should, if there is no backlog.
    overdue: `SELECT id::float8 AS id, job_id FROM ${event} WHERE queue = $1 AND due_at <= ${NOW} - $2::float8 * interval '1 ms'
      AND state = ${FREE} ORDER BY due_at, id LIMIT $3::int FOR UPDATE SKIP LOCKED`,
    dueInMs: `SELECT ${toMs(`(min(due_at) - ${NOW})`)} AS due_ms FROM ${event} WHERE queue = $1 AND due_at > ${NOW}`,
    stats: `SELECT coalesce(sum(CASE WHEN active THEN 1 END), 0)::int AS active,
        coalesce(sum(CASE WHEN NOT active AND due_at <= ${NOW} THEN 1 END), 0)::int AS ready,
        coalesce(sum(CASE WHEN NOT active AND due_at > ${NOW} THEN 1 END), 0)::int AS delayed,
        ${toMs(`(${NOW} - min(CASE WHEN NOT active THEN due_at END))`)} AS oldest_ms
      FROM (SELECT due_at, due_at > ${NOW} AND state <> ${FREE} AS active FROM ${event} WHERE queue = $1 AND due_at IS NOT NULL) d`,
    countDead: `SELECT (SELECT count(*)::int FROM ${event} WHERE queue = $1 AND ${GIVEN_UP}) AS dead,
      (SELECT count(*)::int FROM ${event} WHERE queue = $1 AND state = ${UNHANDLED}) AS unhandled`,
  };
}

/** What is asked of dead letters. */
export function letterStatements({ event, body }: TableNames) {
  const columns = `SELECT e.key, e.state, e.failures, ${toMs('e.until_at')} AS until_ms, e.error, e.job_id, ${BODY}
    FROM ${event} e JOIN ${body} b ON b.id = e.id WHERE e.queue = $1 AND (e.expires_at IS NULL OR e.expires_at > ${NOW})`;
  // $2 state, $3 since, $4 type, $5 how the type begins, $6 tenant, $7 limit.
  const matching = (which: string) => `${columns} AND ${which} AND ($2::int IS NULL OR e.state = $2)
    AND e.until_at >= to_timestamp($3::float8 / 1000) AND ($4::text IS NULL OR b.type = $4)
    AND ($5::text IS NULL OR starts_with(b.type, $5)) AND ($6::text IS NULL OR b.tenant = $6)
    ORDER BY e.until_at, e.id LIMIT $7::int`;
  return {
    // Each statement has its index, so that what no handler matched, which may be much, does not stand in the way of the rest.
    givenUp: matching(GIVEN_UP.replace('state', 'e.state')),
    unhandled: matching(`e.state = ${UNHANDLED}`),
    byNumber: `${columns} AND e.state >= ${FAILED} AND e.id = $2::float8::bigint`,
    byKey: `${columns} AND e.state >= ${FAILED} AND e.key = $2`,
    lock: `SELECT id::float8 AS id, job_id FROM ${event} WHERE id = ANY($1::bigint[]) AND queue = $2 AND state >= ${FAILED}
      ORDER BY id FOR UPDATE`,
  };
}
