import { WebhookMetrics } from '@pathfinder/webhooks';
import { sqliteStore } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, refused } from '../support/deliver.ts';
import { receiverWith } from '../support/receiver.ts';
import { openDatabase } from '../support/sqlite.ts';

const never = () => new Promise<void>(() => undefined);

describe('fake timers of a test', () => {
  it('do not disturb deadlines when they are installed and removed', async () => {
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

  it('are used by a handler and metrics created before them', async () => {
    onTestFinished(() => void vi.useRealTimers());
    const created = 1_000_000_000;
    const { webhooks, receive } = receiverWith({ maxAgeSeconds: 300 });
    const metrics = new WebhookMetrics();
    webhooks.on('*', () => undefined);
    expect(await receive({ id: 'old', created })).toEqual(refused(400, 'too_old'));
    vi.useFakeTimers({ now: created * 1000 + 300_000 });
    expect(await receive({ id: 'old', created })).toEqual(answered('processed', 1));
    metrics.record({ type: 'user.created' }, Date.now() - 40, true);
    expect(metrics.getStats().averageLatency).toBe('40.00ms');
  });

  it('cannot stall sqliteStore', async () => {
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith({ store: sqliteStore(openDatabase(':memory:')) });
    webhooks.on('*', () => undefined, { name: 'h' });
    vi.useFakeTimers();
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
  });
});
