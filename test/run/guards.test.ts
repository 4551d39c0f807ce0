import { memoryStore, WebhookHandler, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET } from '../support/deliver.ts';

/** A memory store whose transactions note what happened in them. */
function transactional(transactions: 'async' | 'sync', parts: Partial<WebhookStore> = {}) {
  const log: unknown[] = [];
  const memory = memoryStore();
  const store: WebhookStore = {
    ...memory,
    transactions,
    async transaction(work) {
      log.push('begin');
      try {
        const result = await work('tx');
        log.push('commit');
        return result;
      } catch (error) {
        log.push('rollback');
        throw error;
      }
    },
    async checkpoint(key, token, step, value, tx) {
      log.push(['checkpoint', step, tx]);
      return memory.checkpoint(key, token, step, value);
    },
    async advance(entity, version, tx) {
      log.push(['advance', entity.split('\n').at(-1), tx]);
      return memory.advance(entity, version);
    },
    ...parts,
  };
  const logger = recordingLogger();
  const webhooks = new WebhookHandler({
    secret: SECRET,
    store,
    logger,
    retry: { baseMs: 1, attempts: 2 },
  });
  return { webhooks, log, logger, receive: (overrides = {}) => webhooks.receive(deliveryOf(bodyOf(overrides))) };
}

describe('{ transaction: true }', () => {
  it('runs the handler inside the transaction that marks it done', async () => {
    const { webhooks, log, receive } = transactional('async');
    webhooks.on(
      '*',
      async (_, { tx, isStale, commit }) => {
        await isStale('user_1');
        log.push(['effect', tx, commit]);
      },
      { name: 'h', transaction: true },
    );
    expect(await receive()).toEqual(answered('processed', 1));
    expect(log).toEqual([
      'begin',
      ['effect', 'tx', undefined],
      ['advance', 'user_1', 'tx'],
      ['checkpoint', '*#h', 'tx'],
      'commit',
    ]);
  });

  it("runs a handler's effect synchronously when the store is synchronous", async () => {
    const { webhooks, log, receive } = transactional('sync');
    webhooks.on(
      '*',
      async (_, { tx, commit }) => {
        log.push(['handler', tx]);
        commit?.((db: string) => void log.push(['effect', db]));
        expect(() => commit?.(() => undefined)).toThrow(/takes one effect/);
      },
      { name: 'h', transaction: true },
    );
    expect(await receive()).toEqual(answered('processed', 1));
    expect(log).toEqual([['handler', undefined], 'begin', ['effect', 'tx'], ['checkpoint', '*#h', 'tx'], 'commit']);
  });

  it('rejects an asynchronous effect before any of it has run', async () => {
    const { webhooks, log, receive } = transactional('sync');
    const refusals: unknown[] = [];
    webhooks.on(
      '*',
      (_, { commit }) => {
        for (const effect of [async () => void log.push('never'), 'no function' as unknown as () => void]) {
          try {
            commit?.(effect);
          } catch (error) {
            refusals.push(error);
          }
        }
        commit?.(() => void log.push('effect'));
      },
      { name: 'h', transaction: true },
    );
    expect(await receive()).toEqual(answered('processed', 1));
    expect(refusals).toEqual([
      new TypeError(
        'The effect of context.commit must be synchronous: the transaction ends with it. Await what you need before, in the handler.',
      ),
      new TypeError('context.commit takes a function of the database.'),
    ]);
    expect(log).toEqual(['begin', 'effect', ['checkpoint', '*#h', 'tx'], 'commit']);
  });

  it('rolls back an effect that turns out to be asynchronous and does not run it again', async () => {
    const { webhooks, log, receive, logger } = transactional('sync');
    webhooks.on('*', (_, { commit }) => commit?.(() => Promise.reject(new Error('later'))), {
      name: 'h',
      transaction: true,
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(log).toEqual(['begin', 'rollback']);
    expect(logger.lines.map(({ fields }) => String(fields.err))).toEqual([
      'NonRetryableError: The effect of context.commit must be synchronous: the transaction ends with it. Await what you need before, in the handler.',
    ]);
  });

  it('needs no effect when the store is synchronous', async () => {
    const { webhooks, log, receive } = transactional('sync');
    webhooks.on('*', () => undefined, { name: 'h', transaction: true });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(log).toEqual(['begin', ['checkpoint', '*#h', 'tx'], 'commit']);
  });

  it('rolls back with a failing handler and does not run a marked one again', async () => {
    const { webhooks, log, receive } = transactional('async');
    let fails = true;
    webhooks.on(
      '*',
      () => {
        if (fails) throw new Error('no');
      },
      { name: 'h', transaction: true, serialBy: () => 'lane' },
    );
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(log.filter((entry) => typeof entry === 'string')).toEqual(['begin', 'rollback', 'begin', 'rollback']);
    fails = false;
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
  });

  it('rolls back and checks again when a newer event of the entity was applied concurrently', async () => {
    let newer = false;
    const { webhooks, log, logger, receive } = transactional('async', {
      advance: async () => {
        newer = !newer;
        return !newer;
      },
    });
    const seen: boolean[] = [];
    webhooks.on('*', async (_, { isStale }) => void seen.push(await isStale('user_1')), {
      name: 'h',
      transaction: true,
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(log.filter((entry) => typeof entry === 'string')).toEqual(['begin', 'rollback', 'begin', 'commit']);
    expect(seen).toHaveLength(2);
    expect(logger.lines.map(({ fields }) => (fields as { err?: unknown }).err)).toEqual([
      new Error('A newer event of the entity was applied meanwhile; this one is looked at again.'),
    ]);
  });

  it('rolls back when the lease was lost', async () => {
    const { webhooks, log, receive } = transactional('async', { checkpoint: async () => 'lost' });
    webhooks.on('*', () => undefined, { name: 'h', transaction: true });
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(log).toEqual(['begin', 'rollback']);
  });
});
