import { context, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api';
import type { WebhookQueue } from '@pathfinder/webhooks';
import { bullmqQueue } from '@pathfinder/webhooks/bullmq';
import { otel } from '@pathfinder/webhooks/otel';
import { pgBossQueue } from '@pathfinder/webhooks/pg-boss';
import { redisStore } from '@pathfinder/webhooks/redis';
import { sqliteQueue } from '@pathfinder/webhooks/sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, recordingLogger } from '../support/deliver.ts';
import { receiverWith } from '../support/receiver.ts';
import { newBoss, stopBoss } from '../support/services/pg-boss.ts';
import { testPostgres } from '../support/services/postgres.ts';
import { testRedis } from '../support/services/redis.ts';
import { describeWith } from '../support/services/services.ts';
import { databaseFolder } from '../support/sqlite.ts';
import { pointsOf, startSdk } from './collect.ts';

const logger = recordingLogger();

/** One event through a queue that keeps it elsewhere: what its spans are linked to and active in, and what is counted. */
function describeTelemetry(open: () => WebhookQueue | Promise<WebhookQueue>, transaction: boolean): void {
  it('OpenTelemetry links each run to the receiving request and runs handlers inside their spans', async () => {
    const { tracer, spans, collect } = startSdk();
    const queue = await open();
    const { webhooks, receive } = receiverWith({ queue, telemetry: otel() });
    onTestFinished(async () => {
      await webhooks.stop();
      await queue.close?.();
    });
    const active: (Span | undefined)[] = [];
    const note = async () => void active.push(trace.getActiveSpan());
    webhooks.on('user.created', note, { name: 'plain', transaction });
    webhooks.on('user.created', note, { name: 'lane', serialBy: ({ data }) => data.user.id });
    const request = tracer.startSpan('POST', { kind: SpanKind.SERVER }, ROOT_CONTEXT);
    await context.with(trace.setSpan(ROOT_CONTEXT, request), async () => {
      expect(await receive()).toEqual(answered('queued', 0, 0, 202));
    });
    // A worker that is started in the midst of something else.
    await tracer.startActiveSpan('deploy', async (span) => {
      await webhooks.start();
      span.end();
    });
    const isRun = ({ kind }: { kind: SpanKind }) => kind === SpanKind.CONSUMER;
    await vi.waitFor(() => expect(spans().some(isRun)).toBe(true), { timeout: 10_000 });
    const run = spans().find(isRun);
    const { traceId, spanId, traceFlags } = request.spanContext();
    expect(run?.links.map((link) => link.context)).toEqual([{ traceId, spanId, traceFlags, isRemote: true }]);
    expect([run?.parentSpanContext, run?.attributes['pathfinder.webhooks.outcome']]).toEqual([undefined, 'processed']);
    const handlers = spans().filter(({ name }) => name.startsWith('handler '));
    expect(handlers.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([
      run?.spanContext().spanId,
      run?.spanContext().spanId,
    ]);
    const spanIds = (some: readonly (Span | undefined)[]) => some.map((span) => span?.spanContext().spanId).sort();
    expect(spanIds(active)).toEqual(spanIds(handlers as unknown as Span[]));
    const states = pointsOf(await collect(), 'pathfinder.webhooks.inbox.event.count');
    expect(states).toHaveLength(4);
  });
}

describe('OpenTelemetry with sqliteQueue', () => {
  const folder = databaseFolder();
  describeTelemetry(() => sqliteQueue(folder.file('events.db')), true);
});

describeWith('redis', 'OpenTelemetry with bullmqQueue', (url) => {
  const { ioredis, keyPrefix } = testRedis(url);
  const connection = { url, maxRetriesPerRequest: null };
  const store = () => redisStore(ioredis, { keyPrefix, logger });
  const open = () => bullmqQueue({ connection, store: store(), prefix: `${keyPrefix}bull`, pollMs: 20, logger });
  describeTelemetry(open, false);
});

describeWith('postgres', 'OpenTelemetry with pgBossQueue', (url) => {
  const { pool, schema } = testPostgres(url);
  describeTelemetry(async () => {
    const boss = newBoss({ connectionString: url, schema: `${schema}_boss` });
    await boss.start();
    onTestFinished(() => stopBoss(boss));
    return pgBossQueue(boss, { pool: pool(), logger });
  }, true);
});
