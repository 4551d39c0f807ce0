import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WEBHOOK_EVENT_TYPES } from '../../src/events/index.ts';
import { WebhookMetrics } from '../../src/report/metrics.ts';

const NOW = Date.UTC(2026, 0, 1);
const SINCE = '2026-01-01T00:00:00.000Z';
const now = () => NOW;

const runs = fc.array(
  fc.record({
    type: fc.oneof(
      fc.constantFrom(...WEBHOOK_EVENT_TYPES),
      fc.constantFrom('_other', '__proto__', 'constructor', 'toString', 'user.renamed', ''),
      fc.string(),
    ),
    latencyMs: fc.oneof(fc.nat(10_000), fc.double()),
    success: fc.boolean(),
  }),
  // Beyond the default size, so that most runs go round the ring.
  { maxLength: 350, size: 'max' },
);

const zero = {
  duplicates: 0,
  unhandled: 0,
  queued: 0,
  deadLetters: 0,
  rejected: {},
  since: SINCE,
};

function recorded(events: readonly { type: string; latencyMs: number; success: boolean }[]) {
  const metrics = new WebhookMetrics({ now, types: ['order.paid'] });
  for (const { type, latencyMs, success } of events) metrics.recordMs(type, latencyMs, success);
  return metrics;
}

describe('WebhookMetrics.getStats', () => {
  test('returns no NaN before the first event', () => {
    expect(new WebhookMetrics({ now }).getStats()).toStrictEqual({
      received: 0,
      processed: 0,
      failed: 0,
      byType: Object.create(null),
      latency: [],
      successRate: '0.00%',
      averageLatency: '0.00ms',
      successRatio: undefined,
      p50: undefined,
      p95: undefined,
      p99: undefined,
      ...zero,
      rejected: Object.create(null),
    });
  });

  test('starts with the documented members in their order', () => {
    expect(Object.keys(new WebhookMetrics().getStats()).slice(0, 7)).toEqual([
      'received',
      'processed',
      'failed',
      'byType',
      'latency',
      'successRate',
      'averageLatency',
    ]);
  });

  test('counts recorded events by type, with rates and percentiles', () => {
    const metrics = new WebhookMetrics({ now });
    metrics.record({ type: 'user.created' }, NOW - 10, true);
    metrics.record({ type: 'user.created' }, NOW - 30, false);
    metrics.record({ type: 'auth.login' }, NOW - 21, true);
    expect(metrics.getStats()).toEqual({
      received: 3,
      processed: 2,
      failed: 1,
      byType: { 'user.created': { received: 2, processed: 1 }, 'auth.login': { received: 1, processed: 1 } },
      latency: [10, 30, 21],
      successRate: '66.67%',
      averageLatency: '20.33ms',
      successRatio: 2 / 3,
      p50: 21,
      p95: 30,
      p99: 30,
      ...zero,
    });
  });

  test('counts rejected deliveries apart', () => {
    const metrics = new WebhookMetrics({ now });
    metrics.recordRejected('signature_mismatch');
    metrics.recordRejected('signature_mismatch');
    metrics.recordRejected('__proto__');
    metrics.recordDuplicate();
    metrics.recordUnhandled();
    metrics.recordUnhandled();
    metrics.recordQueued();
    metrics.recordDeadLetter();
    const { received, rejected, duplicates, unhandled, queued, deadLetters } = metrics.getStats();
    expect({ received, duplicates, unhandled, queued, deadLetters }).toEqual({
      received: 0,
      duplicates: 1,
      unhandled: 2,
      queued: 1,
      deadLetters: 1,
    });
    expect(Object.entries(rejected)).toEqual([
      ['signature_mismatch', 2],
      ['__proto__', 1],
    ]);
  });

  test.each([99, 100, 101, 200, 250])('keeps the latencies of the last 100 of %d events, oldest first', (count) => {
    const latenciesMs = Array.from({ length: count }, (_, i) => i + 1);
    const metrics = recorded(latenciesMs.map((latencyMs) => ({ type: 'auth.login', latencyMs, success: true })));
    expect(metrics.getStats().latency).toEqual(latenciesMs.slice(-100));
  });

  test('computes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => ({ type: 'auth.login', latencyMs: 100 - i, success: true }));
    const { p50, p95, p99, averageLatency } = recorded(hundred).getStats();
    expect({ p50, p95, p99, averageLatency }).toEqual({ p50: 50, p95: 95, p99: 99, averageLatency: '50.50ms' });
  });

  test('returns copies that callers can change safely', () => {
    const metrics = recorded([{ type: 'auth.login', latencyMs: 5, success: true }]);
    metrics.recordRejected('too_old');
    const stats = metrics.getStats() as unknown as Record<string, Record<string, unknown>>;
    const before = structuredClone(stats);
    for (const member of ['byType', 'latency', 'rejected'])
      Object.assign(stats[member] ?? {}, { 0: 99, 'auth.login': 9 });
    expect(metrics.getStats()).toEqual(before);
  });

  test('returns byType and rejected without a prototype', () => {
    const { byType, rejected } = recorded([{ type: 'auth.login', latencyMs: 5, success: true }]).getStats();
    expect([byType, rejected].map(Object.getPrototypeOf)).toEqual([null, null]);
  });

  test('returns consistent sums for any recording', () => {
    fc.assert(
      fc.property(runs, (events) => {
        const { received, processed, failed, byType, successRatio, successRate } = recorded(events).getStats();
        const succeeded = events.filter(({ success }) => success).length;
        const byTypeSum = { received: 0, processed: 0 };
        for (const count of Object.values(byType)) {
          byTypeSum.received += count.received;
          byTypeSum.processed += count.processed;
        }
        expect({ received, processed, failed }).toEqual({
          received: events.length,
          processed: succeeded,
          failed: events.length - succeeded,
        });
        expect(byTypeSum).toEqual({ received, processed });
        expect(successRatio).toBe(received ? processed / received : undefined);
        expect(successRate).toBe(`${((successRatio ?? 0) * 100).toFixed(2)}%`);
      }),
    );
  });

  test('returns the latencies of the last 100 events, with 0 for invalid durations', () => {
    fc.assert(
      fc.property(runs, (events) => {
        const latenciesMs = events.map(({ latencyMs }) =>
          Number.isFinite(latencyMs) && latencyMs > 0 ? latencyMs : 0,
        );
        expect(recorded(events).getStats().latency).toEqual(latenciesMs.slice(-100));
      }),
    );
  });

  test('returns percentiles in ascending order', () => {
    fc.assert(
      fc.property(runs, (events) => {
        const { latency, p50 = 0, p95 = 0, p99 = 0 } = recorded(events).getStats();
        expect(p50 <= p95 && p95 <= p99).toBe(true);
        expect(latency.length === 0 || [p50, p95, p99].every((ms) => latency.includes(ms))).toBe(true);
      }),
    );
  });
});

describe('WebhookMetrics byType', () => {
  test('counts known and declared types, and every other one as _other', () => {
    const types = [...WEBHOOK_EVENT_TYPES, 'order.paid', 'user.renamed', '__proto__', 'constructor', '_other', ''];
    const { byType } = recorded(types.map((type) => ({ type, latencyMs: 1, success: true }))).getStats();
    expect(byType).toEqual({
      ...Object.fromEntries(
        [...WEBHOOK_EVENT_TYPES, 'order.paid'].map((type) => [type, { received: 1, processed: 1 }]),
      ),
      _other: { received: 5, processed: 5 },
    });
  });

  test('accepts a type named like a property of Object.prototype', () => {
    const metrics = new WebhookMetrics({ types: ['__proto__'] });
    metrics.recordMs('__proto__', 1, false);
    expect(Object.entries(metrics.getStats().byType)).toEqual([['__proto__', { received: 1, processed: 0 }]]);
  });

  test('does not grow with undeclared types', () => {
    const metrics = new WebhookMetrics();
    for (let i = 0; i < 100_000; i++) metrics.recordMs(`type.${i}`, 1, true);
    expect(Object.entries(metrics.getStats().byType)).toEqual([['_other', { received: 100_000, processed: 100_000 }]]);
  });

  test('counts an event without a text type as _other', () => {
    const metrics = new WebhookMetrics({ now });
    for (const type of [undefined, null, 5, {}]) metrics.record({ type } as unknown as { type: string }, NOW, true);
    expect(Object.entries(metrics.getStats().byType)).toEqual([['_other', { received: 4, processed: 4 }]]);
  });
});

describe('WebhookMetrics.record', () => {
  test('records a latency of 0 when the clock was set back', () => {
    const metrics = new WebhookMetrics({ now });
    metrics.record({ type: 'auth.login' }, NOW + 60_000, true);
    expect(metrics.getStats().latency).toEqual([0]);
  });

  test('reads Date.now by default', () => {
    const before = Date.now();
    const metrics = new WebhookMetrics();
    metrics.record({ type: 'auth.login' }, before, true);
    const { latency, since } = metrics.getStats();
    expect(latency[0]).toBeLessThanOrEqual(Date.now() - before);
    expect(Date.parse(since)).toBeGreaterThanOrEqual(before);
  });
});

describe('WebhookMetrics.recordMs', () => {
  test.each([-1, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'records a latency of 0 for %d',
    (latencyMs) => {
      const metrics = new WebhookMetrics();
      metrics.recordMs('auth.login', latencyMs, true);
      expect(metrics.getStats().latency).toEqual([0]);
    },
  );

  test('reads no clock', () => {
    let reads = 0;
    const metrics = new WebhookMetrics({ now: () => ++reads });
    metrics.recordMs('auth.login', 5, true);
    metrics.getStats();
    expect(reads).toBe(1);
  });
});

describe('WebhookMetrics.recordRejected', () => {
  test('keeps 64 codes and counts further ones as _other', () => {
    const metrics = new WebhookMetrics();
    for (let i = 0; i < 1000; i++) metrics.recordRejected(`code_${i}`);
    metrics.recordRejected('code_0');
    const { rejected } = metrics.getStats();
    expect(Object.keys(rejected)).toHaveLength(65);
    expect({ first: rejected.code_0, last: rejected.code_63, other: rejected._other }).toEqual({
      first: 2,
      last: 1,
      other: 936,
    });
  });
});

describe('WebhookMetrics.metrics', () => {
  test('has exactly the documented members', () => {
    const metrics = recorded([{ type: 'auth.login', latencyMs: 5, success: true }]);
    expect(metrics.metrics).toEqual({
      received: 1,
      processed: 1,
      failed: 0,
      byType: { 'auth.login': { received: 1, processed: 1 } },
      latency: [5],
    });
  });

  test('is read-only and hides its internals', () => {
    const metrics = new WebhookMetrics();
    expect(() => Object.assign(metrics, { metrics: {} })).toThrow(TypeError);
    expect(inspect(metrics)).toBe('WebhookMetrics {}');
  });
});
