import { sha256Hex } from '#hmac';
import { acceptDelivery, requireDigest, toBytes } from './accept.ts';
import { type Authenticator, createAuthenticator } from './authenticate.ts';
import type {
  WebhookAdmission,
  WebhookBodyLimits,
  WebhookDelivery,
  WebhookDeliveryHead,
  WebhookReceiver,
  WebhookReply,
} from './delivery.ts';
import { memoryStore } from './engines/memory/store.ts';
import { WebhookError } from './errors.ts';
import {
  type EventFor,
  type EventPattern,
  type EventSchemas,
  expandPatterns,
  type NoEventSchemas,
  type ReceivedWebhookEvent,
  WEBHOOK_EVENT_TYPES,
} from './events/index.ts';
import { readOptions, type Settings, type WebhookHandlerOptions } from './options.ts';
import { resultOf, type WebhookResult } from './outcome.ts';
import { parseWebhookEvent } from './parse.ts';
import type { QueueWork, WebhookQueue } from './queue.ts';
import { consoleLogger, logAboutEvent, type WebhookLogger } from './report/logger.ts';
import { WebhookMetrics } from './report/metrics.ts';
import { createReporter, type Reporter } from './report/reporter.ts';
import { replyTo, replyToError } from './respond.ts';
import { createAlarms } from './run/deadlines.ts';
import type { Core, Handler, HandlerOptions, Job } from './run/execution.ts';
import type { Processed } from './run/process.ts';
import { createWork, enqueueEvent } from './run/queued.ts';
import { createRegistry } from './run/registry.ts';
import { createInRequest, type InRequest } from './run/single-flight.ts';
import type { WebhookPayload, WebhookSecret, WebhookSignature } from './signature.ts';
import { eventKey, type WebhookStore } from './store.ts';
import { ageProblem, type Validated, validateData } from './validate.ts';

const SWEEP_EVERY_EVENTS = 1000;
const SWEEP_ROWS = 1000;
const DRAIN_MS = 10_000;
const NO_HEAD: WebhookDeliveryHead = { method: 'POST', header: () => undefined };

/**
 * Receives Pathfinder's webhooks: verifies a delivery, reads its event, runs each event once through the handlers that
 * match its type, and answers. Mount it with an adapter, or call `handle` with the raw body and the signature header.
 *
 * @example
 * ```ts
 * const webhooks = new WebhookHandler(secret);
 * webhooks.on('user.created', async ({ data }) => sendWelcomeEmail(data.user.email));
 * ```
 */
export class WebhookHandler<const E extends EventSchemas = NoEventSchemas> implements WebhookReceiver {
  /** Counts of what this handler received. */
  readonly metrics: WebhookMetrics;
  /** What adapters heed while they read. */
  readonly limits: WebhookBodyLimits;
  readonly #options: WebhookHandlerOptions<EventSchemas>;
  readonly #settings: Settings;
  readonly #authenticator: Authenticator;
  readonly #store: WebhookStore;
  readonly #reporter: Reporter;
  readonly #core: Core;
  readonly #inRequest: InRequest;
  readonly #work: QueueWork;
  #started = false;
  #eventsUntilSweep = SWEEP_EVERY_EVENTS;

  /**
   * @param secretOrOptions - The secret, as the short form, or the options.
   * @throws TypeError for an unusable secret, and for options that make no sense or would lose events quietly.
   */
  constructor(secretOrOptions: WebhookSecret | WebhookHandlerOptions<E>) {
    const options = isOptions(secretOrOptions) ? secretOrOptions : { secret: secretOrOptions };
    this.#options = options;
    this.#authenticator = createAuthenticator(options.secret, options.logger ?? consoleLogger);
    this.#store = options.store ?? options.queue?.store ?? memoryStore();
    this.#settings = readOptions(options, this.#store);
    const { maxBodyBytes, bodyTimeoutMs, logger, now } = this.#settings;
    this.limits = { maxBodyBytes, bodyTimeoutMs };
    const ownTypes = Object.keys(options.events ?? {});
    this.metrics = new WebhookMetrics({ types: ownTypes, now });
    const knownTypes = new Set<string>([...WEBHOOK_EVENT_TYPES, ...ownTypes]);
    this.#reporter = createReporter(options, this.metrics, logger);
    this.#core = {
      store: this.#store,
      registry: createRegistry({ knownTypes, durable: this.#store.durable, logger }),
      alarms: createAlarms(),
      logger,
      handlerTimeoutMs: this.#settings.handlerTimeoutMs,
      retry: this.#settings.retry,
      inRequest: options.queue === undefined,
      now,
      random: Math.random,
      report: this.#reporter.failedRun,
    };
    this.#inRequest = createInRequest(this.#core);
    this.#work = createWork(this.#core, {
      prepare: async (event) => (await validateData(event, options.events)).event,
      settled: (event, outcome, startedAtMs) => {
        const told = this.#reporter.settle(event, outcome, startedAtMs);
        if (told) this.#background(told, {});
      },
    });
  }

  /**
   * Registers a handler for an event type, a pattern (`'user.*'`, `'*'`) or an array of these. Handlers of an event run
   * side by side; each is a checkpoint of its own, so that only those that failed run again.
   *
   * @throws TypeError for a name that is taken or ill-formed, a second unnamed handler with a durable store, and a
   *   transaction with a store that has none.
   */
  on<const P extends EventPattern<E> | readonly EventPattern<E>[]>(
    type: P,
    handler: Handler<EventFor<P, E>>,
    options: HandlerOptions<EventFor<P, E>> = {},
  ): this {
    if (options.transaction && !this.#store.transaction) {
      throw new TypeError('{ transaction: true } needs a store with transactions: sqliteStore or postgresStore.');
    }
    // The registry hands each handler only events that its patterns match.
    this.#core.registry.add(
      [type].flat(),
      handler as Handler<never> as Handler<ReceivedWebhookEvent>,
      options as HandlerOptions,
    );
    return this;
  }

  /** Removes a handler from where `on` put it. Events that it already runs for are not interrupted. */
  off<const P extends EventPattern<E> | readonly EventPattern<E>[]>(type: P, handler: Handler<EventFor<P, E>>): this {
    this.#core.registry.remove([type].flat(), handler as Handler<never> as Handler<ReceivedWebhookEvent>);
    return this;
  }

  /** The known types that the registered patterns match: what an endpoint should subscribe to. */
  get eventTypes(): readonly string[] {
    return expandPatterns(this.#core.registry.patterns(), Object.keys(this.#options.events ?? {}));
  }

  /**
   * What adapters call: takes a delivery, or the promise of one, and never rejects.
   *
   * @param logger - Told of this delivery's refusal in the place of the handler's own: the request's, where it has one.
   */
  async receive(
    delivery: WebhookDelivery | Promise<WebhookDelivery>,
    logger: WebhookLogger = this.#settings.logger,
  ): Promise<WebhookReply> {
    try {
      const arrived = await delivery;
      const digest = acceptDelivery(arrived, this.limits);
      const body = toBytes(arrived.body, this.limits.maxBodyBytes);
      return replyTo(await this.#process(body, digest, arrived, logger));
    } catch (error) {
      return replyToError(this.#reporter.refuse(error, logger));
    }
  }

  /**
   * As `receive`, without the reply: `reply` makes one of the result. A failing handler is a result and not a rejection.
   *
   * @throws WebhookError for what cannot be trusted, read or kept: any code of the reply table.
   */
  async handle(
    payload: WebhookPayload,
    signature: WebhookSignature,
    context?: Partial<WebhookDelivery>,
  ): Promise<WebhookResult> {
    const head = context ? { ...NO_HEAD, ...context } : NO_HEAD;
    try {
      const body = toBytes(payload, this.limits.maxBodyBytes);
      return await this.#process(body, requireDigest(signature), head, this.#settings.logger);
    } catch (error) {
      throw this.#reporter.refuse(error, this.#settings.logger);
    }
  }

  /** The reply that `receive` would have given for a result of `handle`. */
  reply(result: WebhookResult): WebhookReply {
    return replyTo(result);
  }

  /** Verifies and reads a delivery without running or remembering it: for those who dispatch by themselves. */
  async admit(
    delivery: WebhookDelivery | Promise<WebhookDelivery>,
    logger: WebhookLogger = this.#settings.logger,
  ): Promise<WebhookAdmission> {
    try {
      const arrived = await delivery;
      const digest = acceptDelivery(arrived, this.limits);
      const body = toBytes(arrived.body, this.limits.maxBodyBytes);
      const { tenant } = await this.#authenticator.authenticate(body, digest, arrived);
      return { event: await this.#read(body, tenant, logger), tenant };
    } catch (error) {
      return { reply: replyToError(this.#reporter.refuse(error, logger)) };
    }
  }

  /** Whether the signature is the payload's, under this handler's secret. See `verifyWebhookSignature`. */
  verifySignature(payload: WebhookPayload, signature: WebhookSignature): boolean {
    return this.#authenticator.matches(payload, signature);
  }

  /**
   * Starts working off the queue.
   *
   * @param options - `concurrency`: events at a time, default 10.
   * @throws TypeError without a queue.
   */
  async start({ concurrency = 10 }: { readonly concurrency?: number } = {}): Promise<void> {
    await this.#requireQueue().start(this.#work, { concurrency });
    this.#started = true;
  }

  /** Takes nothing new from the queue, and waits for what runs, by default up to 10 s; then gives the rest back. */
  async stop({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#started = false;
    await this.#options.queue?.stop({ timeoutMs });
    await this.#inRequest.idle();
  }

  /**
   * Works off what the queue has ready, for cron jobs and serverless.
   *
   * @param options - `maxMs`: when to take nothing new. `max`: how many events, default all that are ready.
   * @returns How many were worked off.
   * @throws TypeError without a queue.
   */
  drain({ maxMs, max = Number.POSITIVE_INFINITY }: { readonly maxMs: number; readonly max?: number }): Promise<number> {
    return this.#requireQueue().drain(this.#work, { maxMs, max });
  }

  // The flow: verify, read, remember and run (or queue). What it returns or throws becomes the reply.
  async #process(
    body: Uint8Array,
    digest: string,
    head: WebhookDeliveryHead,
    logger: WebhookLogger,
  ): Promise<WebhookResult> {
    const startedAtMs = performance.now();
    let event: ReceivedWebhookEvent | undefined;
    try {
      const sender = this.#authenticator.authenticate(body, digest, head);
      const { tenant } = sender instanceof Promise ? await sender : sender;
      const read = this.#read(body, tenant, logger);
      event = read instanceof Promise ? await read : read;
      const job: Job = { event, tenant, key: eventKey(tenant, event.id), body, bodyHash: sha256Hex(body) };
      const { queue } = this.#options;
      if (queue) return await this.#enqueue(queue, job, head);
      const { outcome, recorded, heard } = await this.#inRequest.process(job);
      if (recorded) this.#background(recorded, head);
      const told = heard ? undefined : this.#reporter.settle(event, outcome, startedAtMs);
      if (told) this.#background(told, head);
      if (--this.#eventsUntilSweep <= 0) this.#sweep(head);
      return resultFor(outcome, event);
    } catch (error) {
      if (event) this.#reporter.tell(error, event, logger);
      throw error;
    }
  }

  // Without a wait unless the store or one of the integrator's schemas has to be asked.
  #read(
    body: Uint8Array,
    tenant: string | undefined,
    logger: WebhookLogger,
  ): ReceivedWebhookEvent | Promise<ReceivedWebhookEvent> {
    let event: ReceivedWebhookEvent | undefined;
    let problem: WebhookError | undefined;
    try {
      event = parseWebhookEvent(body);
      problem = ageProblem(event.created, this.#settings.now(), this.#settings.age);
      if (problem?.code === 'too_new') throw problem;
    } catch (error) {
      this.#reporter.tell(error, event, logger);
      throw error;
    }
    if (!problem) return this.#validate(event, logger);
    return this.#refuseUnknown(event, tenant, problem, logger).then(() => this.#validate(event, logger));
  }

  // Too old, but the store knows this id: its age was checked when it first arrived, so let the redelivery finish.
  async #refuseUnknown(
    event: ReceivedWebhookEvent,
    tenant: string | undefined,
    tooOld: WebhookError,
    logger: WebhookLogger,
  ): Promise<void> {
    try {
      const known = await this.#store.get(eventKey(tenant, event.id)).catch((cause) => {
        throw new WebhookError('store_unavailable', { cause });
      });
      if (!known) throw tooOld;
    } catch (error) {
      this.#reporter.tell(error, event, logger);
      throw error;
    }
  }

  #validate(event: ReceivedWebhookEvent, logger: WebhookLogger): ReceivedWebhookEvent | Promise<ReceivedWebhookEvent> {
    const validated = validateData(event, this.#options.events);
    return validated instanceof Promise
      ? validated.then((done) => this.#accept(done, logger))
      : this.#accept(validated, logger);
  }

  #accept({ event, drift }: Validated, logger: WebhookLogger): ReceivedWebhookEvent {
    if (drift) this.#reporter.tell(drift, event, logger);
    if (drift && this.#settings.rejectDrift) throw drift;
    return event;
  }

  async #enqueue(queue: WebhookQueue, job: Job, head: WebhookDeliveryHead): Promise<WebhookResult> {
    const result = await enqueueEvent(queue, job, head, this.#settings.now());
    if (result.status === 'duplicate') this.metrics.recordDuplicate();
    else {
      this.metrics.recordQueued();
      if (!this.#started && this.#waitUntil(head)) this.#background(this.drain({ maxMs: DRAIN_MS }), head);
    }
    if (--this.#eventsUntilSweep <= 0) this.#sweep(head);
    return result;
  }

  #sweep(head: WebhookDeliveryHead): void {
    this.#eventsUntilSweep = SWEEP_EVERY_EVENTS;
    this.#background(this.#store.sweep(SWEEP_ROWS), head);
  }

  #waitUntil(head: Pick<WebhookDelivery, 'waitUntil'>): ((work: Promise<unknown>) => void) | undefined {
    return head.waitUntil ? (work) => head.waitUntil?.(work) : this.#options.waitUntil;
  }

  // For what may be lost: nothing moves behind a 2xx that the sender takes as safe.
  #background(work: Promise<unknown>, head: Pick<WebhookDelivery, 'waitUntil'>): void {
    const failed = (err: unknown) =>
      logAboutEvent(this.#settings.logger, 'error', undefined, { err }, 'Work behind a webhook reply failed');
    const safe = work.catch(failed);
    try {
      this.#waitUntil(head)?.(safe);
    } catch (error) {
      failed(error);
    }
  }

  #requireQueue(): WebhookQueue {
    const { queue } = this.#options;
    if (queue) return queue;
    throw new TypeError('This WebhookHandler has no queue: its handlers run before the reply. Pass { queue }.');
  }
}

function isOptions<E extends EventSchemas>(
  given: WebhookSecret | WebhookHandlerOptions<E>,
): given is WebhookHandlerOptions<E> {
  return typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Uint8Array);
}

function resultFor(outcome: Processed, event: ReceivedWebhookEvent): WebhookResult {
  switch (outcome.status) {
    case 'processed':
      return resultOf('processed', event, outcome.ran);
    case 'failed':
      return resultOf('failed', event, outcome.ran, outcome.failures);
    case 'conflict':
      throw new WebhookError('id_conflict');
    case 'busy':
    case 'dead':
      return resultOf('in_progress', event);
    default:
      return resultOf(outcome.status, event);
  }
}
