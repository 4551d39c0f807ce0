import { memoryStore, NonRetryableError, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { answered } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

const circle: Record<string, unknown> = {};
circle.self = circle;
const unprintable = {
  toJSON() {
    throw new Error('canary');
  },
};

describe('context.once', () => {
  it('returns what JSON returns, also the first time', async () => {
    const { webhooks, receive } = receiverWith();
    const given: unknown[] = [];
    const results: readonly unknown[] = [new Date(0), undefined, null, { a: undefined, b: 1 }, Number.NaN, 'text'];
    webhooks.on('*', async (_, { once, attempt }) => {
      for (const [i, result] of results.entries()) given.push(await once(`step${i}`, () => result));
      if (attempt === 1) throw new Error('again');
    });
    expect(await receive()).toEqual(answered('processed', 1));
    const asJson = ['1970-01-01T00:00:00.000Z', undefined, null, { b: 1 }, null, 'text'];
    expect(given).toEqual([...asJson, ...asJson]);
  });

  it.each<readonly [what: string, result: unknown]>([
    ['over 8 kB', 'x'.repeat(8192)],
    ['with a BigInt', { amount: 5n }],
    ['that is a circle', circle],
    ['of which toJSON throws', unprintable],
  ])('runs its work once even when the result %s', async (_, result) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 3, baseMs: 1 } });
    let charged = 0;
    const charge = () => {
      charged++;
      return result;
    };
    webhooks.on('*', async (_event, { once }) => void (await once('charge', charge)));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(charged).toBe(1);
    expect(errors).toEqual([expect.any(NonRetryableError), expect.any(NonRetryableError)]);
    expect((errors[0] as Error).message).toMatch(/^Step 'charge' has run, and is not run again for this event;/);
  });

  it('remembers every step of a run, whatever follows', async () => {
    const { webhooks, receive } = receiverWith();
    const ran: string[] = [];
    const step = (name: string) => () => ran.push(name);
    webhooks.on('*', async (_, { once }) => {
      for (const name of ['a', 'b', 'a', 'b', 'c', 'a']) await once(name, step(name));
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(ran).toEqual(['a', 'b', 'c']);
  });

  it('runs its work once even when the store rejects its result at first', async () => {
    const store = memoryStore();
    let saves = 0;
    const checkpoint: WebhookStore['checkpoint'] = async (...step) => {
      if (++saves === 1) throw new Error('down');
      return store.checkpoint(...step);
    };
    const { webhooks, receive } = receiverWith({ store: { ...store, checkpoint } });
    let charged = 0;
    webhooks.on('*', async (_, { once }) => void (await once('charge', () => ++charged)));
    expect(await receive()).toEqual(answered('processed', 1));
    expect([charged, saves]).toEqual([1, 2]);
  });

  it('does not start its work again while an earlier attempt still runs it', async () => {
    const { webhooks, receive } = receiverWith();
    const paid = gate();
    let charged = 0;
    webhooks.on('*', async (_, { once, attempt }) => {
      const charging = once('charge', async () => {
        charged++;
        await paid.promise;
      });
      if (attempt === 1) throw new Error('the other half failed');
      paid.open();
      await charging;
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(charged).toBe(1);
  });
});
