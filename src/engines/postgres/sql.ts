import { ACTIVE, DONE, FAILED, FREE, UNHANDLED } from '../shared/states.ts';
import type { TableNames } from './schema.ts';

/** The time of the server at this moment; `now()` would be that of the transaction's start. */
export const NOW = 'clock_timestamp()';

/** The time so many milliseconds from now that the parameter says. */
export function inMs(parameter: string): string {
  return `${NOW} + ${parameter}::float8 * interval '1 ms'`;
}

/** A time as Unix milliseconds. */
export function toMs(time: string): string {
  return `(extract(epoch FROM ${time}) * 1000)::float8`;
}

/** What a store does to its rows. */
export function storeStatements({ event, body, version }: TableNames) {
  const owned = `key = $1 AND token = $2 AND state = ${ACTIVE}`;
  const expired = `expires_at <= ${NOW}`;
  const expiring = `SELECT id FROM ${event} WHERE ${expired} ORDER BY expires_at LIMIT $1::int FOR UPDATE SKIP LOCKED`;
  return {
    // $1 key, $2 token, $3 body hash, $4 lease, $5 lease and retention: nobody ends the claim of a process that died, so
    // without a queue the row goes once the sender has long given up.
    claim: `INSERT INTO ${event} AS e (key, state, token, attempt, claims, failures, body_hash, until_at, expires_at, held)
      VALUES ($1, ${ACTIVE}, $2, 1, 1, 0, $3, ${inMs('$4')}, ${inMs('$5')}, false)
      ON CONFLICT (key) DO UPDATE SET state = ${ACTIVE}, token = excluded.token, attempt = e.attempt + 1,
        claims = e.claims + 1, until_at = excluded.until_at,
        due_at = CASE WHEN e.due_at IS NOT NULL THEN excluded.until_at END,
        expires_at = CASE WHEN e.queue IS NULL AND NOT e.held THEN excluded.expires_at END
      WHERE e.body_hash = excluded.body_hash AND e.state IN (${FREE}, ${ACTIVE}) AND e.until_at <= ${NOW}
        AND (e.expires_at IS NULL OR e.expires_at > ${NOW})
      RETURNING attempt, claims, failures, steps`,
    // A statement of its own: within that of the claim it could miss a row that was committed meanwhile.
    known: `SELECT state, failures, body_hash = $2 AS same_body, state = ${FREE} AND NOT held AND queue IS NULL AS replaceable,
      coalesce(${expired}, false) AS expired, ${toMs(`(until_at - ${NOW})`)} AS wait_ms FROM ${event} WHERE key = $1`,
    claimReplacing: `UPDATE ${event} SET state = ${ACTIVE}, token = $2, attempt = attempt + 1, claims = claims + 1, body_hash = $3,
      until_at = ${inMs('$4')}, expires_at = ${inMs('$5')}, error = NULL, steps = NULL
      WHERE key = $1 AND state = ${FREE} AND NOT held AND queue IS NULL AND until_at <= ${NOW} AND body_hash <> $3
      RETURNING attempt, claims, failures, steps`,
    forgetExpired: `WITH gone AS (DELETE FROM ${event} WHERE key = $1 AND ${expired} RETURNING id)
      DELETE FROM ${body} WHERE id IN (SELECT id FROM gone)`,
    // $1 key, $2 body hash, $3 retention: a row that no job came to follow goes.
    hold: `INSERT INTO ${event} (key, state, attempt, claims, failures, body_hash, until_at, held, expires_at)
      VALUES ($1, ${FREE}, 0, 0, 0, $2, ${NOW}, true, ${inMs('$3')}) ON CONFLICT (key) DO NOTHING RETURNING id`,
    held: `SELECT state, body_hash, failures, held, coalesce(${expired}, false) AS expired FROM ${event} WHERE key = $1`,
    holdFailed: `UPDATE ${event} SET held = true, expires_at = NULL WHERE key = $1 AND state = ${FREE} AND body_hash = $2 AND NOT held`,
    extend: `UPDATE ${event} SET until_at = ${inMs('$3')}, due_at = CASE WHEN due_at IS NOT NULL THEN ${inMs('$3')} END,
      expires_at = CASE WHEN queue IS NULL AND NOT held THEN ${inMs('$4')} END WHERE ${owned} RETURNING id`,
    checkpoint: `UPDATE ${event} SET steps = coalesce(steps, '{}') || jsonb_build_object($3::text, $4::text)
      WHERE ${owned} AND NOT coalesce(steps, '{}') ? $3::text RETURNING id`,
    isOwned: `SELECT 1 FROM ${event} WHERE ${owned}`,
    // $3 retention, $4 for how long the body is kept.
    complete: `WITH done AS (UPDATE ${event} SET state = ${DONE}, held = false, expires_at = ${inMs('$3')}, error = NULL, steps = NULL,
        due_at = NULL WHERE ${owned} RETURNING id, queue),
      kept AS (UPDATE ${body} SET keep_until_at = ${inMs('$4')} WHERE $4::float8 > 0 AND id IN (SELECT id FROM done WHERE queue IS NOT NULL)),
      dropped AS (DELETE FROM ${body} WHERE $4::float8 <= 0 AND id IN (SELECT id FROM done WHERE queue IS NOT NULL))
      SELECT id FROM done`,
    isDone: `SELECT 1 FROM ${event} WHERE key = $1 AND token = $2 AND state = ${DONE}`,
    // $3 claims that do not count, $4 failures, $5 wait, $6 whether a queue holds the bytes, $7 error, $8 retention.
    release: `UPDATE ${event} SET state = ${FREE}, claims = claims - $3::int, failures = failures + $4::int, until_at = ${inMs('$5')},
      held = $6::boolean, error = $7, due_at = CASE WHEN queue IS NOT NULL THEN ${inMs('$5')} END,
      expires_at = CASE WHEN queue IS NULL AND NOT $6::boolean THEN ${inMs('$8')} END WHERE ${owned} RETURNING id`,
    // $3 claims that do not count, $4 failures, $5 state, $6 error, $7 retention.
    bury: `UPDATE ${event} SET state = $5::smallint, claims = claims - $3::int, failures = failures + $4::int, until_at = ${NOW}, error = $6,
      due_at = NULL, expires_at = CASE WHEN $5::smallint = ${UNHANDLED} THEN ${inMs('$7')} END WHERE ${owned} RETURNING id`,
    forget: `DELETE FROM ${event} WHERE ${owned} RETURNING id`,
    get: `SELECT state, attempt, claims, failures, body_hash, error, steps FROM ${event}
      WHERE key = $1 AND (expires_at IS NULL OR expires_at > ${NOW})`,
    // A done event has no bytes any more, so it is no longer the queue's.
    revive: `UPDATE ${event} SET state = ${FREE}, claims = 0, failures = 0, until_at = ${NOW}, held = true, error = NULL,
      steps = CASE WHEN $2::boolean THEN steps END, expires_at = NULL, queue = CASE WHEN state <> ${DONE} THEN queue END,
      due_at = CASE WHEN state <> ${DONE} AND queue IS NOT NULL THEN ${NOW} END
      WHERE key = $1 AND (state = ${DONE} OR state >= ${FAILED}) AND (expires_at IS NULL OR expires_at > ${NOW}) RETURNING id`,
    latest: `SELECT version::float8 AS version FROM ${version} WHERE entity = $1`,
    advance: `INSERT INTO ${version} AS v (entity, version) VALUES ($1, $2) ON CONFLICT (entity)
      DO UPDATE SET version = excluded.version WHERE excluded.version >= v.version RETURNING entity`,
    sweepKept: `DELETE FROM ${body} WHERE id IN (SELECT id FROM ${body} WHERE keep_until_at <= ${NOW} LIMIT $1::int FOR UPDATE SKIP LOCKED)`,
    sweep: `WITH gone AS (DELETE FROM ${event} WHERE id IN (${expiring}) RETURNING id),
      dropped AS (DELETE FROM ${body} WHERE id IN (SELECT id FROM gone)) SELECT count(*)::int AS swept FROM gone`,
  };
}
