import { sqliteStore } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered } from '../support/deliver.ts';
import { receiverWith } from '../support/receiver.ts';
import { openDatabase } from '../support/sqlite.ts';

const never = () => new Promise<void>(() => undefined);

describe('clocks that a test puts in and takes away', () => {
  it('leave deadlines as they were: with the real clock, a faked one, and the real one again', async () => {
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 30, retry: { attempts: 1 } });
    webhooks.on('*', never);
    for (const round of [1, 2]) {
      expect(await receive({ id: `real_${round}` })).toEqual(answered('failed', 1, 1, 500));
      vi.useFakeTimers();
      const reply = receive({ id: `faked_${round}` });
      await vi.advanceTimersByTimeAsync(30);
      expect(await reply).toEqual(answered('failed', 1, 1, 500));
      // This one is never answered under the faked clock.
      void receive({ id: `left_${round}` });
      await vi.advanceTimersByTimeAsync(1);
      vi.useRealTimers();
    }
    expect(await receive({ id: 'last' })).toEqual(answered('failed', 1, 1, 500));
  });

  it('do not stop sqliteStore, whatever they fake', async () => {
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith({ store: sqliteStore(openDatabase(':memory:')) });
    webhooks.on('*', () => undefined, { name: 'h' });
    vi.useFakeTimers();
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
  });
});
