import { context, metrics, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AggregationTemporality, MeterProvider } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NonRetryableError, type WebhookHandlerOptions } from '@pathfinder/webhooks';
import { otel } from '@pathfinder/webhooks/otel';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, bodyOf, refused, sign } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';
import { pointsOf, shapeOf, startSdk } from './collect.ts';

const UNSET = { code: SpanStatusCode.UNSET };
const ERROR = { code: SpanStatusCode.ERROR };
const NOW = { now: () => 1_709_280_004_000 };
const MESSAGE = {
  'messaging.system': 'pathfinder',
  'messaging.operation.name': 'process',
  'messaging.destination.name': 'user.created',
};
const EVENT_TYPE = { 'pathfinder.webhooks.event.type': 'user.created' };

/** What the span of the one event of these tests has. */
function spanOfEvent(more: object = {}) {
  return {
    ...MESSAGE,
    'messaging.operation.type': 'process',
    'messaging.message.id': 'evt_1',
    'pathfinder.webhooks.test': false,
    'pathfinder.webhooks.attempt': 1,
    'pathfinder.webhooks.api_version': '1.0',
    ...more,
  };
}

function spanOfHandler(name: string, attempt = 1, more: object = {}) {
  return { 'pathfinder.webhooks.handler.name': name, 'pathfinder.webhooks.attempt': attempt, ...more };
}

function outcome(value: string, more: object = {}) {
  return { 'pathfinder.webhooks.outcome': value, ...more };
}

/** A receiver with telemetry, and the SDK that hears of it. */
function observed(options: Partial<WebhookHandlerOptions> = {}) {
  const sdk = startSdk();
  return { ...sdk, ...receiverWith({ ...NOW, telemetry: otel(), ...options }) };
}

/** A receiver whose events go through a queue, at work. */
function observedQueue(options: Partial<WebhookHandlerOptions> = {}) {
  const queue = memoryQueue({ allowVolatile: true });
  return { queue, ...observed({ queue, retry: { attempts: 2, baseMs: 1, jitter: 'none' }, ...options }) };
}

describe('the span of an event processed in the request', () => {
  it("is a child of the request's span, and the handler runs inside its own span", async () => {
    const { webhooks, receive, tracer, spans } = observed();
    const active: (Span | undefined)[] = [];
    webhooks.on('user.created', async () => void active.push(trace.getActiveSpan()), { name: 'welcome' });
    await tracer.startActiveSpan('POST /webhooks/pathfinder', { kind: SpanKind.SERVER }, async (request) => {
      expect(await receive()).toEqual(answered('processed', 1));
      request.end();
    });
    const [handler, event, request] = spans();
    expect([handler, event, request].map((span) => span && shapeOf(span))).toEqual([
      {
        name: 'handler welcome',
        kind: SpanKind.INTERNAL,
        attributes: spanOfHandler('welcome'),
        status: UNSET,
        links: [],
        parent: event?.spanContext().spanId,
      },
      {
        name: 'process user.created',
        kind: SpanKind.CONSUMER,
        attributes: spanOfEvent(outcome('processed')),
        status: UNSET,
        links: [],
        parent: request?.spanContext().spanId,
      },
      expect.objectContaining({ name: 'POST /webhooks/pathfinder', attributes: {} }),
    ]);
    expect(active[0]?.spanContext()).toEqual(handler?.spanContext());
  });

  it('is a root span when the request has none', async () => {
    const { webhooks, receive, spans } = observed();
    webhooks.on('*', () => undefined);
    await receive({}, { headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } });
    expect(spans().find(({ name }) => name === 'process user.created')?.parentSpanContext).toBeUndefined();
  });

  it("has a child span per attempt with the error's class and no message", async () => {
    const { webhooks, receive, spans, collect } = observed({ retry: { attempts: 2, baseMs: 1 } });
    class CardDeclinedError extends Error {}
    webhooks.on('*', () => Promise.reject(new CardDeclinedError('card of ada@example.com')), { name: 'charge' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    const error = { 'error.type': 'CardDeclinedError' };
    expect(spans().map(({ name, attributes, status, events }) => [name, attributes, status, events])).toEqual([
      ['handler charge', spanOfHandler('charge', 1, error), ERROR, []],
      ['handler charge', spanOfHandler('charge', 2, error), ERROR, []],
      ['process user.created', spanOfEvent(outcome('failed', error)), ERROR, []],
    ]);
    const data = await collect();
    const handler = { 'pathfinder.webhooks.handler.name': 'charge', ...EVENT_TYPE };
    expect(pointsOf(data, 'pathfinder.webhooks.handler.duration')).toEqual([
      { attributes: { ...handler, ...error }, count: 2 },
    ]);
    expect(pointsOf(data, 'pathfinder.webhooks.handler.retries')).toEqual([{ attributes: handler, value: 1 }]);
    expect(pointsOf(data, 'pathfinder.webhooks.deliveries')).toEqual([
      { attributes: { ...EVENT_TYPE, ...outcome('failed', error) }, value: 1 },
    ]);
    expect(pointsOf(data, 'messaging.client.consumed.messages')).toEqual([
      { attributes: { ...MESSAGE, ...error }, value: 1 },
    ]);
    expect(JSON.stringify([data, spans().map(shapeOf)])).not.toContain('ada');
  });

  it('is marked as failed when the failure has no error', async () => {
    const { webhooks, receive, spans, collect } = observed({ retry: { attempts: 1 } });
    webhooks.on('*', () => Promise.reject(undefined), { name: 'silent' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(spans().map(({ status }) => status)).toEqual([ERROR, ERROR]);
    expect(pointsOf(await collect(), 'messaging.client.consumed.messages')).toEqual([
      { attributes: { ...MESSAGE, 'error.type': '_OTHER' }, value: 1 },
    ]);
  });

  it('marks a handler that missed its deadline', async () => {
    const { webhooks, receive, spans } = observed({ handlerTimeoutMs: 20, retry: { attempts: 1 } });
    const late = gate();
    webhooks.on('*', () => late.promise, { name: 'late' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    const error = { 'error.type': 'handler_timeout' };
    await vi.waitFor(() => expect(spans()).toHaveLength(1));
    expect(spans()[0]?.attributes).toEqual(spanOfHandler('late', 1, error));
    late.open();
  });
});

describe('the span of an event from a queue', () => {
  it('is a root span linked to the receiving request', async () => {
    const { webhooks, receive, tracer, spans } = observedQueue();
    const active: (Span | undefined)[] = [];
    webhooks.on('*', async () => void active.push(trace.getActiveSpan()), { name: 'welcome' });
    const request = tracer.startSpan('POST', { kind: SpanKind.SERVER }, ROOT_CONTEXT);
    await tracer.startActiveSpan('start-up', async (span) => {
      await webhooks.start();
      span.end();
    });
    onTestFinished(() => webhooks.stop());
    await context.with(trace.setSpan(ROOT_CONTEXT, request), async () => {
      expect(await receive()).toEqual(answered('queued', 0, 0, 202));
    });
    request.end();
    const run = await vi.waitFor(() => {
      const found = spans().find(({ name }) => name === 'process user.created');
      expect(found).toBeDefined();
      return found;
    });
    const { traceId, spanId, traceFlags } = request.spanContext();
    expect(run && shapeOf(run)).toEqual({
      name: 'process user.created',
      kind: SpanKind.CONSUMER,
      attributes: spanOfEvent(outcome('processed')),
      status: UNSET,
      links: [{ traceId, spanId, traceFlags, isRemote: true }],
      parent: undefined,
    });
    expect(run?.spanContext().traceId).not.toBe(traceId);
    const handler = spans().find(({ name }) => name === 'handler welcome');
    expect(handler?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId);
    expect(active[0]?.spanContext()).toEqual(handler?.spanContext());
  });

  it('is no child of the request when it is drained after the response', async () => {
    const { webhooks, receive, tracer, spans } = observedQueue();
    webhooks.on('*', () => undefined, { name: 'welcome' });
    await receive();
    await tracer.startActiveSpan('cron', async (span) => {
      expect(await webhooks.drain({ maxMs: 1000 })).toBe(1);
      span.end();
    });
    const run = spans().find(({ name }) => name === 'process user.created');
    expect([run?.parentSpanContext, run?.links]).toEqual([undefined, []]);
  });

  it('marks a dead event and a replay', async () => {
    const { webhooks, receive, queue, spans, collect } = observedQueue();
    webhooks.on('*', () => Promise.reject(new NonRetryableError('no')), { name: 'failing' });
    await receive();
    await webhooks.drain({ maxMs: 1000 });
    const error = { 'error.type': 'NonRetryableError' };
    const dead = { attributes: { ...EVENT_TYPE, ...error }, value: 1 };
    expect(pointsOf(await collect(), 'pathfinder.webhooks.dead_letters')).toEqual([dead]);
    expect(await queue.deadLetters.replay([{ id: 'evt_1' }])).toBe(1);
    await webhooks.drain({ maxMs: 1000 });
    const replay = spans().filter(({ kind }) => kind === SpanKind.CONSUMER);
    expect(replay.map(({ name, attributes }) => [name, attributes])).toEqual([
      ['process user.created', spanOfEvent(outcome('dead', error))],
      ['replay user.created', spanOfEvent(outcome('dead', { ...error, 'pathfinder.webhooks.replayed': true }))],
    ]);
    expect(pointsOf(await collect(), 'pathfinder.webhooks.dead_letters')).toEqual([{ ...dead, value: 2 }]);
  });

  it('of an unhandled event counts no dispatched handler', async () => {
    const { webhooks, receive, spans, collect } = observedQueue();
    webhooks.on('user.deleted', () => undefined, { name: 'other' });
    await receive();
    await webhooks.drain({ maxMs: 1000 });
    expect(spans().map(({ attributes }) => attributes['pathfinder.webhooks.outcome'])).toEqual(['unhandled']);
    const data = await collect();
    expect(pointsOf(data, 'messaging.client.consumed.messages')).toEqual([]);
    expect(pointsOf(data, 'pathfinder.webhooks.dead_letters')).toEqual([]);
    const inbox = (state: string, value: number) => ({
      attributes: { 'pathfinder.webhooks.inbox.state': state },
      value,
    });
    expect(pointsOf(data, 'pathfinder.webhooks.inbox.event.count')).toEqual([
      inbox('pending', 0),
      inbox('running', 0),
      inbox('dead', 0),
      inbox('unhandled', 1),
    ]);
    expect(pointsOf(data, 'pathfinder.webhooks.inbox.oldest.age')).toEqual([{ attributes: {}, value: 0 }]);
  });

  it('stops observing the queue when the handler stops', async () => {
    // With delta temporality the SDK shows what was observed just now, and nothing of before.
    const { collect } = startSdk(AggregationTemporality.DELTA);
    const queue = memoryQueue({ allowVolatile: true });
    const { webhooks, receive } = receiverWith({ queue, telemetry: otel() });
    webhooks.on('*', () => undefined);
    await receive();
    const observations = async () => pointsOf(await collect(), 'pathfinder.webhooks.inbox.oldest.age').length;
    const counts = [await observations()];
    const { stats } = queue;
    queue.stats = () => Promise.reject(new Error('down'));
    counts.push(await observations());
    queue.stats = stats;
    counts.push(await observations());
    await webhooks.stop();
    counts.push(await observations());
    expect(counts).toEqual([1, 0, 1, 0]);
  });
});

describe('OpenTelemetry metrics', () => {
  it('use the units and buckets of the conventions', async () => {
    const { webhooks, receive, collect } = observedQueue();
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'failing' });
    await receive();
    await webhooks.start();
    onTestFinished(() => webhooks.stop());
    const data = await vi.waitFor(async () => {
      const collected = await collect();
      expect(pointsOf(collected, 'pathfinder.webhooks.dead_letters')).toHaveLength(1);
      return collected;
    });
    expect(Object.fromEntries(data.map(({ descriptor: { name, unit } }) => [name, unit]))).toEqual({
      'messaging.client.consumed.messages': '{message}',
      'messaging.process.duration': 's',
      'pathfinder.webhooks.deliveries': '{delivery}',
      'pathfinder.webhooks.delivery.age': 's',
      'pathfinder.webhooks.handler.duration': 's',
      'pathfinder.webhooks.handler.retries': '{retry}',
      'pathfinder.webhooks.dead_letters': '{event}',
      'pathfinder.webhooks.inbox.event.count': '{event}',
      'pathfinder.webhooks.inbox.oldest.age': 's',
    });
    const boundaries = (name: string) => {
      const [point] = data.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
      return (point?.value as { buckets?: { boundaries: number[] } } | undefined)?.buckets?.boundaries;
    };
    const duration = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
    expect(boundaries('messaging.process.duration')).toEqual(duration);
    expect(boundaries('pathfinder.webhooks.handler.duration')).toEqual(duration);
    expect(boundaries('pathfinder.webhooks.delivery.age')).toEqual([1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400]);
  });

  it("measure the age of an event by the handler's clock, never below zero", async () => {
    const { webhooks, receive, collect } = observed();
    webhooks.on('*', () => undefined);
    await receive();
    await receive({ id: 'evt_2', created: 1_709_280_010 });
    const [age] = (await collect()).filter(({ descriptor }) => descriptor.name === 'pathfinder.webhooks.delivery.age');
    expect(age?.dataPoints[0]?.value).toMatchObject({ count: 2, sum: 4, min: 0, max: 4 });
  });

  it("record why a forgery was rejected, also on the request's span, and nothing of its content", async () => {
    const { receive, tracer, spans, collect } = observed();
    const forged = { signature: `sha256=${'0'.repeat(64)}` };
    await tracer.startActiveSpan('POST', async (request) => {
      expect(await receive({ type: 'user.forged' }, forged)).toEqual(refused(401, 'invalid_signature'));
      request.end();
    });
    const error = { 'error.type': 'signature_mismatch' };
    expect(spans().map(shapeOf)).toEqual([expect.objectContaining({ name: 'POST', attributes: error })]);
    const data = await collect();
    expect(pointsOf(data, 'pathfinder.webhooks.deliveries')).toEqual([
      { attributes: outcome('rejected', error), value: 1 },
    ]);
    expect(data.map(({ descriptor }) => descriptor.name)).toEqual(['pathfinder.webhooks.deliveries']);
  });

  it('name only known or declared types, however many are sent', async () => {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const;
    const { webhooks, receive, spans, collect } = observed({ events: { 'own.type': schema } });
    webhooks.on('*', () => undefined, { name: 'all' });
    const types = ['user.created', 'own.type', ...Array.from({ length: 200 }, (_, i) => `sent.type_${i}`)];
    for (const [i, type] of types.entries()) await receive({ id: `evt_test_${i}`, type });
    const data = await collect();
    const typed = (type: string, value: number) => ({
      attributes: { 'pathfinder.webhooks.event.type': type, ...outcome('processed') },
      value,
    });
    expect(pointsOf(data, 'pathfinder.webhooks.deliveries')).toEqual([
      typed('user.created', 1),
      typed('own.type', 1),
      typed('_OTHER', 200),
    ]);
    for (const metric of data) expect(metric.dataPoints.length).toBeLessThanOrEqual(3);
    expect(new Set(spans().map(({ name }) => name))).toEqual(
      new Set(['process user.created', 'process own.type', 'process _OTHER', 'handler all']),
    );
    expect(JSON.stringify(data)).not.toContain('evt_');
    expect(spans()[1]?.attributes['pathfinder.webhooks.test']).toBe(true);
  });

  it('name at most fifty error classes and only identifier-like ones', async () => {
    const { webhooks, receive, collect } = observed({ retry: { attempts: 1 } });
    const thrown: unknown[] = [
      Object.assign(new Error('no'), { name: 'ada@example.com' }),
      'a text',
      undefined,
      Object.create(null),
      { constructor: { name: 'ada@example.com' } },
      {
        get constructor(): never {
          throw new Error('no class');
        },
      },
      ...Array.from({ length: 60 }, (_, i) => errorOfClass(`Error${i}`)),
    ];
    webhooks.on('*', () => Promise.reject(thrown.shift()), { name: 'failing' });
    for (let i = thrown.length; i > 0; i--) await receive({ id: `evt_${i}` });
    const errors = pointsOf(await collect(), 'pathfinder.webhooks.deliveries').map(
      ({ attributes }) => attributes['error.type'],
    );
    expect(errors.slice(0, 4)).toEqual(['Error', 'String', '_OTHER', 'Error0']);
    expect(errors).toHaveLength(51);
  });

  it('contain nothing of the body, the secret or the signature', async () => {
    const { webhooks, receive, spans, collect } = observed({ validation: 'reject' });
    webhooks.on('*', () => undefined);
    await receive();
    await receive({ id: 'evt_2', data: { user: { email: 7 } } });
    const all = JSON.stringify([await collect(), spans().map(shapeOf)]);
    for (const word of ['ada', 'user_1', 'whsec_', sign('').slice(7, 20)]) expect(all).not.toContain(word);
  });

  it('add constant attributes and the body size on request', async () => {
    const telemetry = otel({ attributes: { 'service.endpoint': 'billing' }, bodySize: true });
    const { webhooks, receive, spans, collect } = observed({ telemetry });
    webhooks.on('*', () => undefined);
    await receive();
    for (const { attributes } of spans()) expect(attributes['service.endpoint']).toBe('billing');
    const points = (await collect()).flatMap(({ dataPoints }) => dataPoints.map(({ attributes }) => attributes));
    for (const attributes of points) expect(attributes['service.endpoint']).toBe('billing');
    expect(spans().at(-1)?.attributes['messaging.message.body.size']).toBe(bodyOf().length);
  });
});

describe('OpenTelemetry providers', () => {
  it('can be passed as options or registered after the handler was created', async () => {
    const exporter = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    const given = receiverWith({ telemetry: otel({ tracerProvider, meterProvider: new MeterProvider() }) });
    const queue = memoryQueue({ allowVolatile: true });
    const early = receiverWith({ queue, telemetry: otel() });
    await early.receive();
    const { spans, collect } = startSdk();
    given.webhooks.on('*', () => undefined);
    await given.receive();
    expect(exporter.getFinishedSpans()).toHaveLength(2);
    expect(spans()).toEqual([]);
    await early.receive({ id: 'evt_2' });
    const data = await collect();
    expect(pointsOf(data, 'pathfinder.webhooks.deliveries')).toEqual([
      { attributes: { ...EVENT_TYPE, ...outcome('queued') }, value: 1 },
    ]);
    expect(pointsOf(data, 'pathfinder.webhooks.inbox.event.count')[0]).toMatchObject({ value: 2 });
    early.webhooks.on('*', () => undefined);
    await early.webhooks.drain({ maxMs: 1000 });
    expect(spans().map(({ spanContext }) => spanContext).length).toBe(4);
  });

  it('can be missing, in which case events are handled without telemetry', async () => {
    metrics.disable();
    const { webhooks, receive } = receiverWith({ telemetry: otel() });
    const active: unknown[] = [];
    webhooks.on('*', () => void active.push(trace.getActiveSpan()));
    expect(await receive()).toEqual(answered('processed', 1));
    expect(active).toEqual([undefined]);
  });

  it('under an unknown option name are rejected', () => {
    const misspelt = { tracer: undefined } as object;
    expect(() => otel(misspelt)).toThrow(
      new TypeError('otel has no option `tracer`. It knows tracerProvider, meterProvider, attributes, bodySize.'),
    );
  });

  it('that throw lose no event', async () => {
    const broken = {
      getTracer: () => ({
        startSpan() {
          throw new Error('no span');
        },
      }),
    } as never;
    const { webhooks, receive } = receiverWith({ telemetry: otel({ tracerProvider: broken }) });
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(answered('processed', 1));
  });
});

/** An error of a class of that name. */
function errorOfClass(name: string): Error {
  const Named = class extends Error {};
  return new (Object.defineProperty(Named, 'name', { value: name }))('no');
}
