import { AsyncLocalStorage } from 'node:async_hooks';
import { WebhookHandler, type WebhookQueue } from '@pathfinder/webhooks';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it, vi } from 'vitest';
import { bodyOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { receiverWith } from '../support/receiver.ts';
import { openDatabase } from '../support/sqlite.ts';

const callers = new AsyncLocalStorage<string>();

const queues: readonly (readonly [name: string, open: () => WebhookQueue])[] = [
  ['memoryQueue', () => memoryQueue({ allowVolatile: true })],
  ['sqliteQueue', () => sqliteQueue(openDatabase(':memory:'), { allowVolatile: true })],
];

describe.each(queues)('the async context of handlers on %s', (_, open) => {
  async function contextsOf(run: (webhooks: WebhookHandler, count: number) => Promise<void>): Promise<unknown[]> {
    const webhooks = new WebhookHandler({
      secret: SECRET,
      queue: open(),
      logger: recordingLogger(),
      retry: { baseMs: 1 },
    });
    const seen: unknown[] = [];
    webhooks.on('*', async ({ id }, { attempt }) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(callers.getStore());
      if (id === 'evt_1' && attempt < 3) throw new Error('again');
    });
    const count = 50;
    await run(webhooks, count);
    await vi.waitFor(() => expect(webhooks.metrics.getStats().processed).toBe(count), { timeout: 5000 });
    await webhooks.stop();
    return seen;
  }

  const deliver = (webhooks: WebhookHandler, n: number, waitUntil?: (work: Promise<unknown>) => void) =>
    callers.run(`request ${n}`, () => {
      const body = bodyOf({ id: `evt_${n}` });
      return webhooks.handle(body, sign(body), waitUntil && { waitUntil });
    });

  it('is no request’s context, whichever request woke the workers', async () => {
    const seen = await contextsOf(async (webhooks, count) => {
      await callers.run('starter', () => webhooks.start({ concurrency: 4 }));
      for (let n = 1; n <= count; n++) await deliver(webhooks, n);
    });
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });

  it('is no request’s context when a drain follows each request', async () => {
    const work: Promise<unknown>[] = [];
    const seen = await contextsOf(async (webhooks, count) => {
      for (let n = 1; n <= count; n++) await deliver(webhooks, n, (one) => work.push(one));
      await Promise.all(work);
      await callers.run('cron', () =>
        vi.waitUntil(async () => {
          await webhooks.drain({ maxMs: 1000 });
          return webhooks.metrics.getStats().processed === count;
        }),
      );
    });
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });
});

describe('the async context of a deadline', () => {
  it('is no other request’s context', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20, retry: { attempts: 1 } });
    const seen: unknown[] = [];
    webhooks.on('*', (_, { signal }) => {
      return new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          seen.push(callers.getStore());
          resolve();
        });
      });
    });
    await Promise.all(['a', 'b'].map((id) => callers.run(id, () => receive({ id }))));
    expect(seen).toEqual([undefined, undefined]);
  });

  it('of a handler is that of its own request', async () => {
    const { webhooks, receive } = receiverWith();
    const seen: unknown[] = [];
    webhooks.on('*', async () => {
      await Promise.resolve();
      seen.push(callers.getStore());
    });
    await callers.run('a', () => receive());
    expect(seen).toEqual(['a']);
  });
});
