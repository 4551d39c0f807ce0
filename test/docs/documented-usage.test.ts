// What Pathfinder's webhook page lets an integrator write with these classes runs as it stands once they are imported.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ReceivedWebhookEvent } from '../../src/events/index.ts';
import { WebhookErrorHandler } from '../../src/report/error-handler.ts';
import { WebhookMetrics } from '../../src/report/metrics.ts';
import { WebhookRetry } from '../../src/retry/retry.ts';

const event: ReceivedWebhookEvent = {
  id: 'evt_abc123',
  type: 'user.deleted',
  api_version: '1.0',
  created: 1709280000,
  data: { user_id: 'user_123' },
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, 'error').mockReturnValue();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('WebhookRetry', () => {
  test('makes three attempts within the three documented seconds without arguments', async () => {
    const handler = vi.fn().mockRejectedValue(new Error('CRM is down'));
    const retry = new WebhookRetry();
    const processing = retry.process(event, handler);
    await vi.advanceTimersByTimeAsync(3000);
    const result = await processing;
    expect(result).toEqual({ success: false, attempts: 3, error: 'CRM is down' });
  });

  test('returns the number of attempts that a success took', async () => {
    const handler = vi.fn().mockRejectedValueOnce(new Error('once')).mockResolvedValue(undefined);
    const retry = new WebhookRetry(5, 100);
    const processing = retry.process(event, handler);
    await vi.advanceTimersByTimeAsync(100);
    expect(await processing).toEqual({ success: true, attempts: 2 });
  });

  test('exposes its constructor arguments', () => {
    const { maxRetries, baseDelay } = new WebhookRetry(5);
    expect([maxRetries, baseDelay]).toEqual([5, 1000]);
  });
});

describe('WebhookErrorHandler', () => {
  test('works through its static methods', async () => {
    await WebhookErrorHandler.handle(event, new Error('CRM is down'));
    expect(console.error).toHaveBeenCalledOnce();
    expect(WebhookErrorHandler.isCritical('user.deleted')).toBe(true);
    expect(WebhookErrorHandler.isCritical('user.created')).toBe(false);
  });

  test('calls the steps of a subclass', async () => {
    const stored: unknown[] = [];
    const save = (row: unknown) => Promise.resolve(stored.push(row));
    class MyErrorHandler extends WebhookErrorHandler {
      static override async storeFailedEvent(event: ReceivedWebhookEvent, error: unknown) {
        await save([event.id, (error as Error).message]);
      }
      static override async sendAlert(event: ReceivedWebhookEvent) {
        await save(['alert', event.type]);
      }
      static override async scheduleRetry(event: ReceivedWebhookEvent) {
        await save(['retry', event.id]);
      }
    }
    await MyErrorHandler.handle(event, new Error('CRM is down'));
    expect(stored).toEqual([
      ['evt_abc123', 'CRM is down'],
      ['alert', 'user.deleted'],
      ['retry', 'evt_abc123'],
    ]);
  });

  test('calls the steps that were assigned to it', async () => {
    const stored: unknown[] = [];
    class MyErrorHandler extends WebhookErrorHandler {}
    MyErrorHandler.storeFailedEvent = (event) => stored.push(event.id);
    await MyErrorHandler.handle(event, new Error('CRM is down'));
    expect(stored).toEqual(['evt_abc123']);
  });
});

describe('WebhookMetrics', () => {
  test('records the processing of an event', async () => {
    const metrics = new WebhookMetrics();
    const startTime = Date.now();
    try {
      await vi.advanceTimersByTimeAsync(12);
      metrics.record(event, startTime, true);
    } catch {
      metrics.record(event, startTime, false);
    }
    expect(metrics.getStats()).toMatchObject({
      received: 1,
      processed: 1,
      failed: 0,
      byType: { 'user.deleted': { received: 1, processed: 1 } },
      latency: [12],
      successRate: '100.00%',
      averageLatency: '12.00ms',
    });
  });

  test('exposes its counters under `metrics`', () => {
    const metrics = new WebhookMetrics();
    metrics.record(event, Date.now(), false);
    expect(metrics.metrics).toEqual({
      received: 1,
      processed: 0,
      failed: 1,
      byType: { 'user.deleted': { received: 1, processed: 0 } },
      latency: [0],
    });
  });

  test('serializes to JSON', () => {
    const metrics = new WebhookMetrics({ now: () => 0 });
    expect(JSON.parse(JSON.stringify(metrics.getStats()))).toEqual({
      received: 0,
      processed: 0,
      failed: 0,
      byType: {},
      latency: [],
      successRate: '0.00%',
      averageLatency: '0.00ms',
      rejected: {},
      duplicates: 0,
      unhandled: 0,
      queued: 0,
      deadLetters: 0,
      since: '1970-01-01T00:00:00.000Z',
    });
  });
});
