import type { FailOptions, WebhookStore } from '../../index.ts';
import type { PostgresClient } from '../postgres/driver.ts';
import { isOfOneStatement } from '../postgres/session.ts';
import { createBatches } from '../shared/batches.ts';
import { newJobId } from './boss.ts';
import type { QueueTools } from './tools.ts';

const MOST_COMPLETIONS = 100;

export interface QueueStoreOptions {
  readonly retentionMs: number;
  readonly keepBodiesMs: number;
}

interface Completion {
  readonly key: string;
  readonly token: string;
}

interface Owned {
  readonly id: number;
  readonly job_id: string | null;
}

/** The store of a queue: what it says of an event, it says of the event's job in the same transaction. */
export function withJobs(
  store: WebhookStore,
  { session, sql, boss, events, keyOf }: QueueTools,
  { retentionMs, keepBodiesMs }: QueueStoreOptions,
): WebhookStore {
  async function completeAll(completions: readonly Completion[], given?: PostgresClient): Promise<readonly boolean[]> {
    const values = [
      completions.map(({ key }) => key),
      completions.map(({ token }) => token),
      retentionMs,
      keepBodiesMs,
    ];
    const inTransaction = async (tx: PostgresClient) => {
      const rows = await session.run<{ readonly key: string; readonly job_id: string | null }>(
        sql.complete,
        values,
        tx,
      );
      await boss.complete(
        rows.flatMap(({ job_id }) => job_id ?? []),
        tx,
      );
      return new Set(rows.map(({ key }) => key));
    };
    const done = given ? await inTransaction(given) : await session.begin(inTransaction);
    const answers: boolean[] = [];
    // Where this changed nothing it may have been done before, by the same token.
    for (const { key, token } of completions) {
      answers.push(done.has(key) || (await events.complete(key, token, given)));
    }
    return answers;
  }

  const complete = createBatches((completions: readonly Completion[]) => completeAll(completions), {
    most: MOST_COMPLETIONS,
    keyOf: ({ key }) => key,
    isOfOne: isOfOneStatement,
  });

  function fail(key: string, token: string, options: FailOptions): Promise<boolean> {
    return session.begin(async (tx) => {
      const [owned] = await session.run<Owned>(sql.owned, [key, token], tx);
      if (!(await events.fail(key, token, options, tx))) return false;
      if (owned) await endRun(owned, options, tx);
      return true;
    });
  }

  /** A job that failed or found no handler ends; what is to be tried again has a new one. */
  async function endRun(
    { id, job_id }: Owned,
    { dead, retryInMs, error }: FailOptions,
    tx: PostgresClient,
  ): Promise<void> {
    const old = job_id === null ? [] : [job_id];
    if (dead === 'unhandled') return boss.complete(old, tx);
    if (dead) return boss.fail(old, error ?? '', tx);
    await boss.remove(old, tx);
    const job = { id: newJobId(), eventId: id, inMs: retryInMs ?? 0 };
    await session.run(sql.setJob, [id, job.id], tx);
    await boss.send([job], tx);
  }

  return {
    ...store,

    async complete(key, token, tx) {
      if (tx === undefined) return complete({ key: keyOf(key), token });
      const [answer = false] = await completeAll([{ key: keyOf(key), token }], tx as PostgresClient);
      return answer;
    },

    // A lane is no event, and has no job.
    fail: (key, token, options) =>
      options.forget ? store.fail(key, token, options) : fail(keyOf(key), token, options),

    revive: (key, { steps }) =>
      session.begin(async (tx) => {
        if (!(await events.revive(keyOf(key), steps === 'keep', tx))) return false;
        const [row] = await session.run<Owned & { readonly queue: string | null }>(sql.find, [keyOf(key)], tx);
        if (!row || row.queue === null) return true;
        const job = { id: newJobId(), eventId: row.id, inMs: 0 };
        await session.run(sql.setJob, [row.id, job.id], tx);
        await boss.send([job], tx);
        return true;
      }),
  };
}
