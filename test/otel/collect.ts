import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { onTestFinished } from 'vitest';

/** The real SDK with exporters in memory, registered for the process as an application does, until the test has ended. */
export function startSdk(temporality = AggregationTemporality.CUMULATIVE) {
  const spans = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const exporter = new InMemoryMetricExporter(temporality);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracerProvider);
  metrics.setGlobalMeterProvider(meterProvider);
  onTestFinished(async () => {
    context.disable();
    trace.disable();
    metrics.disable();
    await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);
  });
  const collect = async (): Promise<readonly MetricData[]> => {
    exporter.reset();
    await meterProvider.forceFlush();
    return exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  };
  return { tracer: tracerProvider.getTracer('test'), meterProvider, spans: () => spans.getFinishedSpans(), collect };
}

/** A span as the tests compare it. */
export function shapeOf({ name, kind, attributes, status, links, parentSpanContext }: ReadableSpan) {
  return {
    name,
    kind,
    attributes,
    status,
    links: links.map((link) => link.context),
    parent: parentSpanContext?.spanId,
  };
}

/** What was counted under a name: the attributes of each point, and its value or its number of values. */
export function pointsOf(data: readonly MetricData[], name: string) {
  const metric = data.find(({ descriptor }) => descriptor.name === name);
  if (!metric) return [];
  if (metric.dataPointType === DataPointType.HISTOGRAM) {
    return metric.dataPoints.map(({ attributes, value }) => ({ attributes, count: value.count }));
  }
  return metric.dataPoints.map(({ attributes, value }) => ({ attributes, value }));
}
