import { memoryStore, WebhookErrorHandler, type WebhookHandler } from '@pathfinder/webhooks';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, bodyOf, RETRY, recordingLogger, refused, sign } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

function fakeClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Stops, and tells after how many milliseconds that was done. */
async function stopIn(webhooks: WebhookHandler, timeoutMs: number): Promise<number> {
  const startedAtMs = performance.now();
  let tookMs = -1;
  void webhooks.stop({ timeoutMs }).then(() => {
    tookMs = performance.now() - startedAtMs;
  });
  for (let ms = 0; ms < 20_000 && tookMs < 0; ms += 10) await vi.advanceTimersByTimeAsync(10);
  return tookMs;
}

const turn = () => vi.advanceTimersByTimeAsync(0);

describe('stop', () => {
  it('keeps its limit when a handler ignores its signal, which it aborts first, and names that handler', async () => {
    fakeClock();
    const { webhooks, logger, receive } = receiverWith();
    const aborted: unknown[] = [];
    webhooks.on(
      '*',
      (_, { signal }) => {
        signal.addEventListener('abort', () => aborted.push(signal.reason));
        return new Promise(() => undefined);
      },
      { name: 'stuck' },
    );
    webhooks.on('*', () => undefined, { name: 'done' });
    void receive();
    await turn();
    expect(await stopIn(webhooks, 300)).toBe(300);
    expect(aborted).toEqual([new Error('The receiver was stopped.')]);
    const left = [{ event_id: 'evt_1', event_type: 'user.created', handler: '*#stuck' }];
    expect(logger.lines.at(-1)).toEqual({
      level: 'warn',
      fields: { left, handlers: 1 },
      message: 'stop() ran out of time: what is left goes on until the process ends',
    });
  });

  it('returns as soon as a handler that respects its signal ends', async () => {
    fakeClock();
    const { webhooks, logger, receive } = receiverWith();
    webhooks.on('*', (_, { signal }) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    });
    const reply = receive();
    await turn();
    expect(await stopIn(webhooks, 300)).toBe(270);
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(logger.lines.map(({ message }) => message)).toEqual(['A webhook handler failed']);
  });

  it('keeps its limit when a store never responds', async () => {
    fakeClock();
    const never = () => new Promise<never>(() => undefined);
    const { webhooks, receive } = receiverWith({ store: { ...memoryStore(), claim: never } });
    webhooks.on('*', () => undefined);
    const reply = receive();
    await turn();
    expect(await stopIn(webhooks, 300)).toBe(300);
    await vi.advanceTimersByTimeAsync(5000);
    expect(await reply).toEqual(refused(503, 'store_unavailable', RETRY));
  });

  it('waits for handlers that outlived their deadline and for background work', async () => {
    fakeClock();
    const stored = gate();
    const errorHandler = new WebhookErrorHandler({ storeFailedEvent: () => stored.promise, logger: recordingLogger() });
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 50, errorHandler, retry: { attempts: 1 } });
    webhooks.on('*', async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      throw new Error('late');
    });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(50);
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    const told: string[] = [];
    const stopping = webhooks.stop({ timeoutMs: 10_000 }).then(() => told.push('stopped'));
    await vi.advanceTimersByTimeAsync(1000);
    expect(told).toEqual([]);
    stored.open();
    await turn();
    await stopping;
  });

  it('keeps its limit with a queue whose handlers and stop hang', async () => {
    for (const hangs of [false, true]) {
      fakeClock();
      const queue = memoryQueue({ allowVolatile: true });
      const stop = hangs ? () => new Promise<void>(() => undefined) : queue.stop;
      const { webhooks, logger } = receiverWith({ queue: { ...queue, stop } });
      webhooks.on('*', () => new Promise(() => undefined), { name: 'stuck' });
      await webhooks.start();
      await webhooks.handle(bodyOf(), sign(bodyOf()));
      await turn();
      expect(await stopIn(webhooks, 1000)).toBeLessThanOrEqual(hangs ? 1200 : 1000);
      expect(logger.lines.at(-1)?.fields).toMatchObject({ handlers: 1 });
      vi.useRealTimers();
    }
  });
});

describe('a queue that fails to stop', () => {
  it('prevents no other part of stop, and its error is thrown at the end', async () => {
    fakeClock();
    const enqueued = gate();
    const queue = memoryQueue({ allowVolatile: true });
    const failing = { ...queue, stop: () => Promise.reject(new Error('no connection')) };
    const enqueue: typeof queue.enqueue = (delivery) => enqueued.promise.then(() => queue.enqueue(delivery));
    const { webhooks, receive } = receiverWith({ queue: { ...failing, enqueue } });
    const told: string[] = [];
    void receive().then(() => told.push('answered'));
    await turn();
    const stopping = webhooks.stop().catch((error: Error) => told.push(error.message));
    await vi.advanceTimersByTimeAsync(1000);
    expect(told).toEqual([]);
    enqueued.open();
    await vi.advanceTimersByTimeAsync(1);
    await stopping;
    expect(told).toEqual(['answered', 'no connection']);
  });
});

describe('a handler that finishes after its deadline', () => {
  it('is reported once as a success when it succeeds', async () => {
    const told: string[] = [];
    const step = (name: string) => () => void told.push(name);
    const errorHandler = new WebhookErrorHandler({
      storeFailedEvent: step('storeFailedEvent'),
      scheduleRetry: step('scheduleRetry'),
      logger: recordingLogger(),
    });
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20, errorHandler });
    const late = gate();
    webhooks.on('*', () => late.promise);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(webhooks.metrics.getStats()).toMatchObject({ processed: 0, failed: 0 });
    late.open();
    await webhooks.stop();
    expect(webhooks.metrics.getStats()).toMatchObject({ processed: 1, failed: 0, received: 1 });
    expect(told).toEqual([]);
    expect(await receive()).toEqual(answered('duplicate'));
  });

  it('is reported once as a failure when it fails', async () => {
    const told: unknown[] = [];
    const errorHandler = new WebhookErrorHandler({
      storeFailedEvent: (_, error) => void told.push(error),
      logger: recordingLogger(),
    });
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20, errorHandler });
    const late = gate();
    webhooks.on('*', () => late.promise);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(told).toEqual([]);
    late.fail(new Error('in the end'));
    await webhooks.stop();
    expect(told).toEqual([new Error('in the end')]);
    expect(webhooks.metrics.getStats()).toMatchObject({ processed: 0, failed: 1 });
  });

  it('is not reported as failed when the store had already given its event away', async () => {
    const told: unknown[] = [];
    const errorHandler = new WebhookErrorHandler({ storeFailedEvent: () => told.push(1), logger: recordingLogger() });
    const store = { ...memoryStore(), fail: async () => false };
    const { webhooks, receive } = receiverWith({ store, errorHandler, retry: { attempts: 1 } });
    webhooks.on('*', () => {
      throw new Error('no');
    });
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    await webhooks.stop();
    expect([told, webhooks.metrics.getStats().failed]).toEqual([[], 0]);
  });
});
