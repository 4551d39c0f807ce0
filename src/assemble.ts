import { createAuthenticator, RESOLVER_TIMEOUT_MS } from './authenticate.ts';
import { Background } from './background.ts';
import { memoryRowsOf, memoryStore } from './engines/memory/store.ts';
import { WebhookError, type WebhookErrorCode } from './errors.ts';
import { WEBHOOK_EVENT_TYPES } from './events/index.ts';
import { checkOptions, readOptions, type WebhookHandlerOptions } from './options.ts';
import type { QueueWork } from './queue.ts';
import type { Flow } from './receive.ts';
import { WebhookMetrics } from './report/metrics.ts';
import { Observer } from './report/observer.ts';
import { createReporter } from './report/reporter.ts';
import { Asker, NoAnswerError } from './run/ask.ts';
import type { Core } from './run/core.ts';
import { createDeadlines } from './run/deadlines.ts';
import { guardStore } from './run/guarded-store.ts';
import { Lanes } from './run/lanes.ts';
import { OpenDeliveries } from './run/open-deliveries.ts';
import { BEFORE_REPLY, FROM_QUEUE } from './run/policy.ts';
import { createRegistry } from './run/registry.ts';
import { SingleFlight } from './run/single-flight.ts';
import { createWork } from './run/work.ts';
import { checkGlobals } from './shared/globals.ts';
import { applierOf } from './validate.ts';

/** The parts of a handler, which it puts under its documented names. */
export interface Assembled {
  readonly core: Core;
  readonly flow: Flow;
  readonly work: QueueWork;
  readonly metrics: WebhookMetrics;
}

/**
 * Makes the parts of a handler from its options, and puts what an integrator passed in behind its guards.
 *
 * @param drain - Works off the queue for a while; `undefined` when workers do so anyway.
 * @throws TypeError for an unusable secret, and for options that make no sense or would lose events quietly.
 */
export function assemble(options: WebhookHandlerOptions, drain: () => Promise<unknown> | undefined): Assembled {
  checkGlobals('WebhookHandler', ['TextEncoder', 'TextDecoder']);
  checkOptions(options);
  const { queue, events, waitUntil } = options;
  const givenStore = options.store ?? queue?.store ?? memoryStore();
  const settings = readOptions(options, givenStore);
  const { maxBodyBytes, bodyTimeoutMs, handlerTimeoutMs, storeTimeoutMs, retry, logger, now } = settings;
  const deadlines = createDeadlines();
  const asker = (code: WebhookErrorCode, timeoutMs: number) =>
    new Asker({ deadlines, timeoutMs, refuse: (cause) => new WebhookError(code, { cause }) });
  const askSecret = asker('secret_unavailable', RESOLVER_TIMEOUT_MS);
  const authenticator = createAuthenticator(options.secret, askSecret, logger);
  const askStore = asker('store_unavailable', storeTimeoutMs);
  const store = guardStore(givenStore, askStore, queue ? { retryInMs: 0 } : {}, memoryRowsOf(givenStore));
  const askSchema = new Asker({ deadlines, timeoutMs: storeTimeoutMs, refuse: refuseSchema });
  const ownTypes = Object.keys(events ?? {});
  const metrics = new WebhookMetrics({ types: ownTypes, now });
  const reporter = createReporter(options, metrics, logger);
  const knownTypes = new Set<string>([...WEBHOOK_EVENT_TYPES, ...ownTypes]);
  const observer = new Observer(options.telemetry);
  const core: Core = {
    store,
    registry: createRegistry({
      knownTypes,
      durable: store.durable,
      logger,
    }),
    deadlines,
    lanes: new Lanes(store.shared),
    policy: queue ? FROM_QUEUE : BEFORE_REPLY,
    logger,
    observer,
    handlerTimeoutMs,
    retry,
    now,
    random: Math.random,
    running: new Set(),
    report: reporter.failedRun,
  };
  const background = new Background({ store, logger, waitUntil, drain });
  const askQueue = asker('queue_unavailable', storeTimeoutMs);
  const flow: Flow = {
    settings,
    limits: { maxBodyBytes, bodyTimeoutMs },
    authenticator,
    events,
    store,
    queue,
    askQueue,
    askSchema,
    singleFlight: new SingleFlight(core),
    reporter,
    observer,
    background,
    openDeliveries: new OpenDeliveries(),
  };
  const work = createWork(core, {
    applierOf: (type) => applierOf(events, type, askSchema),
    tellOutcome: (event, outcome, startedAtMs) => {
      const told = reporter.tellOutcome(event, outcome, startedAtMs);
      if (told) background.run(told);
    },
  });
  const stats = queue && (() => askQueue.ask(() => queue.stats()));
  observer.attach({ eventTypes: [...knownTypes], stats });
  return { core, flow, work, metrics };
}

// A schema that throws tells something of the data; one that does not answer tells nothing.
function refuseSchema(cause: unknown): unknown {
  if (!(cause instanceof NoAnswerError)) return cause;
  return new WebhookError('store_unavailable', { detail: 'A schema of `events` did not answer.', cause });
}
