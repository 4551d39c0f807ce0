import {
  type Attributes,
  type Context,
  context,
  INVALID_TRACEID,
  type Link,
  type MeterProvider,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace as traces,
} from '@opentelemetry/api';
import type {
  HandlerFailure,
  HandlerTrace,
  ObservedReceiver,
  ProcessTrace,
  ReceiveTrace,
  WebhookTelemetry,
} from '../index.ts';
import { checkNames, type OptionNames } from '../shared/check.ts';
import { Labels, type TypeLabels, withError } from './labels.ts';
import { Metering } from './metering.ts';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const SCOPE = '@pathfinder/webhooks';
/** The name that stands for all handlers where an event took its process down. */
const ALL_HANDLERS = '*';
const POISON = 'poison';
/** What a proxy delegates to as long as no SDK is registered. */
const NO_PROVIDER = /* @__PURE__ */ new ProxyTracerProvider().getDelegate();

/** Options of {@link otel}. */
export interface OtelOptions {
  /** Default: the global one, whenever that is registered. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Default: the global one; what happens before that is registered is not counted. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Constants of every span and measurement, such as a name where a process has several endpoints. Default none. */
  readonly attributes?: Attributes | undefined;
  /** Whether spans have the size of the body in bytes, as `messaging.message.body.size`. Default false. */
  readonly bodySize?: boolean | undefined;
}

const NAMES: OptionNames<OtelOptions> = { tracerProvider: true, meterProvider: true, attributes: true, bodySize: true };

/**
 * Traces and metrics of a `WebhookHandler`, as its option `telemetry`. An event that runs before its reply is a child of the
 * active span, which is the request's where HTTP is instrumented; one from a queue is a root, linked to the request that
 * received it. Handlers run inside their span. No body, id or error message is in any measurement, and none but the event's
 * id in a span. Names, units and alerts: docs/observability.md.
 *
 * @throws TypeError for a name that is no option.
 * @example
 * ```ts
 * const webhooks = new WebhookHandler({ secret, telemetry: otel() });
 * ```
 */
export function otel(options: OtelOptions = {}): WebhookTelemetry {
  checkNames('otel', options, NAMES);
  return new OtelTelemetry(options);
}

class OtelTelemetry implements WebhookTelemetry {
  readonly #tracer: Tracer;
  readonly #metering: Metering;
  readonly #labels: Labels;
  readonly #bodySize: boolean;
  readonly #hasTracer: boolean;

  constructor({ tracerProvider, meterProvider, attributes = {}, bodySize = false }: OtelOptions) {
    const common = { ...attributes };
    // The global tracer is a proxy, which finds the provider once there is one.
    this.#tracer = (tracerProvider ?? traces).getTracer(SCOPE);
    this.#metering = new Metering(SCOPE, meterProvider, common);
    this.#labels = new Labels(common);
    this.#bodySize = bodySize;
    this.#hasTracer = tracerProvider !== undefined;
  }

  attach({ eventTypes, stats }: ObservedReceiver): (() => void) | undefined {
    this.#labels.know(eventTypes);
    return stats && this.#metering.observe(stats);
  }

  isEnabled(): boolean {
    return this.#hasTracer || isTracerRegistered() || this.#metering.isEnabled;
  }

  /** Verification has no span, being a matter of microseconds: a refusal is noted on the request's. */
  receive(trace: ReceiveTrace, run: () => void): () => void {
    const request = traces.getActiveSpan();
    run();
    return () => {
      const { eventType, created, receivedAtMs, outcome = 'rejected', failures, error } = trace;
      const errorType = this.#errorType(error, failures);
      if (error && errorType) request?.setAttribute('error.type', errorType);
      const { deliveries, deliveryAge } = this.#metering.instruments;
      if (eventType === undefined) {
        deliveries.add(1, this.#labels.ofRefusal(errorType ?? outcome));
        return;
      }
      const labels = this.#labels.ofType(eventType);
      deliveries.add(1, withError(labels.ofOutcome(outcome), errorType));
      const ageSeconds = (receivedAtMs ?? 0) / 1000 - (created ?? 0);
      deliveryAge.record(Math.max(0, ageSeconds), labels.typed);
    };
  }

  process(trace: ProcessTrace, run: () => void): () => void {
    const { eventId, bodyBytes, queued, traceparent } = trace;
    const labels = this.#labels.ofType(trace.eventType);
    const attributes = labels.ofSpan(eventId);
    if (this.#bodySize) attributes['messaging.message.body.size'] = bodyBytes;
    // A worker's context is whatever it was started in, another request perhaps: its events belong to none.
    const parent = queued ? ROOT_CONTEXT : context.active();
    const options = { kind: SpanKind.CONSUMER, attributes, links: linksTo(traceparent) };
    const span = this.#tracer.startSpan(labels.processName, options, parent);
    const startedAtMs = performance.now();
    runInside(span, parent, run);
    return () => {
      const seconds = (performance.now() - startedAtMs) / 1000;
      const errorType = isPoison(trace) ? POISON : this.#errorType(trace.error, trace.failures);
      noteRun(span, trace, labels);
      end(span, errorType);
      this.#measureRun(trace, labels, errorType, seconds);
    };
  }

  handler(trace: HandlerTrace, run: () => void): () => void {
    const { eventType, handlerName, attempt } = trace;
    const parent = context.active();
    const attributes = this.#labels.ofHandlerSpan(handlerName, attempt);
    const span = this.#tracer.startSpan(`handler ${handlerName}`, { attributes }, parent);
    const startedAtMs = performance.now();
    runInside(span, parent, run);
    return () => {
      const seconds = (performance.now() - startedAtMs) / 1000;
      const errorType = this.#errorType(trace.error);
      end(span, errorType);
      const { handlerDuration, handlerRetries } = this.#metering.instruments;
      const labels = this.#labels.ofType(eventType).ofHandler(handlerName);
      handlerDuration.record(seconds, withError(labels, errorType));
      if (attempt > 1) handlerRetries.add(1, labels);
    };
  }

  traceparent(): string | undefined {
    return formatTraceparent(traces.getActiveSpan()?.spanContext());
  }

  #measureRun(trace: ProcessTrace, labels: TypeLabels, errorType: string | undefined, seconds: number): void {
    const { attempt, outcome, failures = [] } = trace;
    const { consumed, processDuration, deadLetters } = this.#metering.instruments;
    // An event that was not claimed, has no handler, or waits for its lane was not dispatched.
    if (attempt !== undefined && outcome !== 'unhandled' && outcome !== 'in_progress' && !isPoison(trace)) {
      const message = withError(labels.message, errorType);
      consumed.add(1, message);
      processDuration.record(seconds, message);
    }
    // Without failures it had been dead before, and counted then.
    if (outcome === 'dead' && failures.length > 0) deadLetters.add(1, withError(labels.typed, errorType));
  }

  /** Of what failed as a whole, else of the first handler that did. */
  #errorType(error: unknown, [first]: readonly HandlerFailure[] = []): string | undefined {
    if (error !== undefined) return this.#labels.errorType(error);
    return first && this.#labels.errorType(first.error);
  }
}

function isTracerRegistered(): boolean {
  const provider = traces.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NO_PROVIDER;
}

function runInside(span: Span, parent: Context, run: () => void): void {
  // Without an SDK there is no span to be active.
  const isReal = span.spanContext().traceId !== INVALID_TRACEID;
  context.with(isReal ? traces.setSpan(parent, span) : parent, run);
}

function isPoison({ failures }: ProcessTrace): boolean {
  return failures?.[0]?.handlerName === ALL_HANDLERS;
}

function linksTo(traceparent: string | undefined): Link[] {
  const request = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return request ? [{ context: request }] : [];
}

function noteRun(span: Span, { attempt, replayed, apiVersion, outcome }: ProcessTrace, labels: TypeLabels): void {
  if (replayed) span.updateName(labels.replayName).setAttribute('pathfinder.webhooks.replayed', true);
  if (attempt !== undefined) span.setAttribute('pathfinder.webhooks.attempt', attempt);
  if (apiVersion !== undefined) span.setAttribute('pathfinder.webhooks.api_version', apiVersion);
  if (outcome !== undefined) span.setAttribute('pathfinder.webhooks.outcome', outcome);
}

// Without the error's message, which may be made of what was sent.
function end(span: Span, errorType: string | undefined): void {
  if (errorType !== undefined) span.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
