import type Database from 'libsql';
import { z } from 'zod';

const LEASE_MS = 30_000;
const TIMEOUT_MS = 30_000;
const RETENTION_MS = 7 * 86_400_000;

const Event = z.looseObject({
  id: z.string(),
  type: z.literal('user.created'),
  api_version: z.string(),
  created: z.number().int(),
  data: z.looseObject({
    user: z.looseObject({ id: z.string(), username: z.string(), email: z.string(), roles: z.array(z.string()) }),
  }),
});

interface Taken {
  readonly id: number;
  readonly token: string;
  readonly body: ArrayBuffer;
}

/**
 * The loop of somebody who needs what the package promises of an event whose handler succeeds, and nothing else: it is claimed
 * under a token, with its claims counted, before it runs, and done under that token, both on disk; it is checked by a schema; its
 * handler has a deadline with a signal; and a slow one holds up no other, so that whatever ends in one turn is committed together.
 *
 * @returns When the queue is empty.
 */
export async function drainByHand(
  db: Database.Database,
  concurrency: number,
  handle: (event: z.infer<typeof Event>, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const due = db.prepare(`SELECT e.id, e.key, e.attempt, e.claims, e.failures, b.body
    FROM pathfinder_webhook_event e CROSS JOIN pathfinder_webhook_body b
    WHERE b.id = e.id AND e.queue = 'default' AND e.due_ms <= ? ORDER BY e.due_ms, e.id LIMIT ?`);
  const claim = db.prepare(`UPDATE pathfinder_webhook_event
    SET state = 1, token = ?, attempt = attempt + 1, claims = claims + 1, until_ms = ?, due_ms = ? WHERE id = ?`);
  const complete =
    db.prepare(`UPDATE pathfinder_webhook_event SET state = 2, due_ms = NULL, until_ms = 0, expires_ms = ?
    WHERE id = ? AND token = ? AND state = 1`);
  const dropBody = db.prepare('DELETE FROM pathfinder_webhook_body WHERE id = ?');
  const ended: Taken[] = [];
  let running = 0;
  let tokens = 0;
  let onEmpty = () => {};

  function take(): void {
    db.exec('BEGIN IMMEDIATE');
    const untilMs = Date.now() + LEASE_MS;
    const rows = due.all(Date.now(), concurrency - running) as Omit<Taken, 'token'>[];
    const taken = rows.map((row) => ({ ...row, token: `token_${process.pid}_${tokens++}` }));
    for (const { token, id } of taken) claim.run(token, untilMs, untilMs, id);
    db.exec('COMMIT');
    for (const one of taken) void run(one);
    if (running === 0) onEmpty();
  }

  async function run(taken: Taken): Promise<void> {
    running++;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), TIMEOUT_MS);
    await handle(Event.parse(JSON.parse(Buffer.from(taken.body).toString())), deadline.signal);
    clearTimeout(timer);
    if (ended.push(taken) === 1) setImmediate(finish);
  }

  function finish(): void {
    db.exec('BEGIN IMMEDIATE');
    for (const { id, token } of ended) {
      if (complete.run(Date.now() + RETENTION_MS, id, token).changes === 1) dropBody.run(id);
    }
    db.exec('COMMIT');
    running -= ended.splice(0).length;
    take();
  }

  await new Promise<void>((resolve) => {
    onEmpty = resolve;
    take();
  });
}
