import { memoryStore, WebhookError, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, RETRY, refused } from '../support/deliver.ts';
import { gate, guardedStore, receiverWith } from '../support/receiver.ts';

const never = () => new Promise<never>(() => undefined);

function fakeClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** A store whose transactions begin and end as a test says. */
function transactional(base: WebhookStore, begin: () => Promise<void>, end: () => Promise<void>): WebhookStore {
  return {
    ...base,
    async transaction(work) {
      await begin();
      const result = await work('tx');
      await end();
      return result;
    },
  };
}

describe('a claim that is granted after its timeout', () => {
  it('is released, so that the event runs when the store has recovered', async () => {
    fakeClock();
    const store = memoryStore();
    const answers = gate();
    const claim: WebhookStore['claim'] = async (...args) => {
      const claimed = await store.claim(...args);
      await answers.promise;
      return claimed;
    };
    const { webhooks, receive } = receiverWith({ store: { ...store, claim }, storeTimeoutMs: 300 });
    webhooks.on('*', () => undefined);
    const first = receive();
    await vi.advanceTimersByTimeAsync(300);
    expect(await first).toEqual(refused(503, 'store_unavailable', RETRY));
    expect((await store.get('evt_1'))?.state).toBe('active');
    answers.open();
    await vi.advanceTimersByTimeAsync(0);
    expect(await store.get('evt_1')).toMatchObject({ state: 'free', claims: 0, failures: 0 });
    expect(await receive()).toEqual(answered('processed', 1));
  });
});

describe('a store that does not respond', () => {
  it.each(['claim', 'complete'] as const)('to %s causes a 503 in time', async (method) => {
    fakeClock();
    const { webhooks, receive } = receiverWith({ store: { ...memoryStore(), [method]: never } });
    webhooks.on('*', () => undefined);
    let reply: unknown;
    void receive().then((one) => {
      reply = one;
    });
    await vi.advanceTimersByTimeAsync(4999);
    expect(reply).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(reply).toEqual(refused(503, 'store_unavailable', RETRY));
  });
});

describe('a store that returns invalid values', () => {
  const outOfReach = expect.objectContaining({
    code: 'store_unavailable',
    cause: new TypeError('The answer makes no sense.'),
  });

  it.each([undefined, null, 'acquired', {}, { status: 'taken' }])(
    'from claim, %j, counts as unavailable',
    async (answer) => {
      const store = guardedStore({ ...memoryStore(), claim: async () => answer as never });
      await expect(store.claim('k', { leaseMs: 1000, bodyHash: 'a' })).rejects.toEqual(outOfReach);
    },
  );

  it.each([undefined, null, true, 'yes'])('from checkpoint, %j, counts as unavailable', async (answer) => {
    const store = guardedStore({ ...memoryStore(), checkpoint: async () => answer as never });
    await expect(store.checkpoint('k', 't', 'step', '')).rejects.toEqual(outOfReach);
  });

  it('accepts every documented store status', async () => {
    for (const status of ['acquired', 'busy', 'done', 'dead', 'conflict']) {
      const store = guardedStore({ ...memoryStore(), claim: async () => ({ status }) as never });
      expect(await store.claim('k', { leaseMs: 1000, bodyHash: 'a' })).toEqual({ status });
    }
    for (const saved of ['saved', 'exists', 'lost'] as const) {
      const store = guardedStore({ ...memoryStore(), checkpoint: async () => saved });
      expect(await store.checkpoint('k', 't', 'step', '')).toBe(saved);
    }
  });

  it('for a claim after its timeout gets nothing released', async () => {
    fakeClock();
    const failed = vi.fn(async () => true);
    const answers = gate();
    const claim = () => answers.promise.then(() => ({ status: 'busy', retryAfterMs: 1 }) as const);
    const store = guardedStore({ ...memoryStore(), claim, fail: failed });
    const claiming = expect(store.claim('k', { leaseMs: 1000, bodyHash: 'a' })).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(1000);
    await claiming;
    answers.open();
    await vi.advanceTimersByTimeAsync(1000);
    expect(failed).not.toHaveBeenCalled();
  });
});

describe('a store transaction', () => {
  it('that does not begin in time is abandoned and runs nothing later', async () => {
    fakeClock();
    const begins = gate();
    const store = guardedStore(
      transactional(
        memoryStore(),
        () => begins.promise,
        async () => undefined,
      ),
    );
    const ran: string[] = [];
    const transaction = store.transaction?.(async () => ran.push('work'));
    const ended = expect(transaction).rejects.toEqual(
      new WebhookError('store_unavailable', { cause: expect.any(Error) }),
    );
    await vi.advanceTimersByTimeAsync(1000);
    await ended;
    begins.open();
    await vi.advanceTimersByTimeAsync(0);
    expect(ran).toEqual([]);
  });

  it("can take as long as its work and rejects with the work's error", async () => {
    fakeClock();
    const quick = async () => undefined;
    const store = guardedStore(transactional(memoryStore(), quick, quick));
    const work = gate<string>();
    const transaction = store.transaction?.(() => work.promise);
    await vi.advanceTimersByTimeAsync(60_000);
    work.open('result');
    expect(await transaction).toBe('result');
    const error = new Error('of the handler');
    await expect(store.transaction?.(() => Promise.reject(error))).rejects.toBe(error);
  });

  it('whose commit hangs or fails counts as unavailable', async () => {
    fakeClock();
    const ends = [never, () => Promise.reject(new Error('disk full'))];
    for (const end of ends) {
      const store = guardedStore(transactional(memoryStore(), async () => undefined, end));
      const ended = expect(store.transaction?.(async () => 1)).rejects.toThrow(
        expect.objectContaining({ code: 'store_unavailable' }),
      );
      await vi.advanceTimersByTimeAsync(1000);
      await ended;
    }
  });

  it('that never calls its work counts as unavailable', async () => {
    const store = guardedStore({ ...memoryStore(), transaction: async () => undefined as never });
    await expect(store.transaction?.(async () => 1)).rejects.toThrow(
      expect.objectContaining({ code: 'store_unavailable' }),
    );
  });

  it('whose commit succeeded without a response is not repeated', async () => {
    const store = memoryStore();
    const committed: string[] = [];
    const marked = new Set<string>();
    const transaction: WebhookStore['transaction'] = async (work) => {
      const before = [...marked];
      const result = await work('tx');
      committed.push('effect');
      if (marked.size > before.length) throw new Error('the answer of the commit was lost');
      return result;
    };
    const checkpoint: WebhookStore['checkpoint'] = async (...step) => {
      const saved = await store.checkpoint(...step);
      if (saved === 'saved') marked.add(step[2]);
      return saved;
    };
    const { webhooks, receive } = receiverWith({ store: { ...store, checkpoint, transaction, transactions: 'async' } });
    webhooks.on('*', () => undefined, { name: 'h', transaction: true });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(committed).toEqual(['effect']);
  });
});
