import { acceptDelivery, requireDigest, toBytes } from './accept.ts';
import { assemble } from './assemble.ts';
import type {
  WebhookAdmission,
  WebhookBodyLimits,
  WebhookDelivery,
  WebhookReceiver,
  WebhookReply,
} from './delivery.ts';
import { isWebhookError, type WebhookError } from './errors.ts';
import {
  type EventFor,
  type EventPattern,
  type EventSchemas,
  expandPatterns,
  type NoEventSchemas,
  type ReceivedWebhookEvent,
} from './events/index.ts';
import type { WebhookHandlerOptions } from './options.ts';
import type { WebhookResult } from './outcome.ts';
import type { QueueWork, WebhookQueue } from './queue.ts';
import { admitDelivery, type Flow, processDelivery, receiveDelivery } from './receive.ts';
import type { WebhookLogger } from './report/logger.ts';
import type { WebhookMetrics } from './report/metrics.ts';
import { isResult, replyTo, replyToError } from './respond.ts';
import type { Core } from './run/core.ts';
import type { Handler, HandlerOptions } from './run/handler-types.ts';
import { durationOrZero } from './shared/check.ts';
import { guarded } from './shared/guard.ts';
import { isError } from './shared/realm.ts';
import type { WebhookPayload, WebhookSecret, WebhookSignature } from './signature.ts';
import { stopAll } from './stop.ts';

const DRAIN_MS = 10_000;
const NO_HEAD = { method: 'POST', header: () => undefined };

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
  readonly #ownTypes: readonly string[];
  readonly #flow: Flow;
  readonly #core: Core;
  readonly #work: QueueWork;
  /** Whether workers run; `undefined` before the first `start` and `stop`. */
  #started: boolean | undefined;

  /**
   * @param secretOrOptions - The secret, as the short form, or the options.
   * @throws TypeError for an unusable secret, and for options that make no sense or would lose events quietly.
   */
  constructor(secretOrOptions: WebhookSecret | WebhookHandlerOptions<E>) {
    const options = isOptions(secretOrOptions) ? secretOrOptions : { secret: secretOrOptions };
    const drain = () => (this.#mayDrain() ? guarded(() => this.drain({ maxMs: DRAIN_MS })) : undefined);
    const { core, flow, work, metrics } = assemble(options, drain);
    this.#core = core;
    this.#flow = flow;
    this.#work = work;
    this.#ownTypes = Object.keys(options.events ?? {});
    this.metrics = metrics;
    this.limits = flow.limits;
  }

  /**
   * Registers a handler for an event type, a pattern (`'user.*'`, `'*'`) or an array of these. Handlers of an event run
   * side by side; each is a checkpoint of its own, so that only those that failed run again.
   *
   * @throws TypeError for a name that is taken or ill-formed, a second unnamed handler with a durable store, a transaction
   *   with a store that has none, and after `start`.
   */
  on<const P extends EventPattern<E> | readonly EventPattern<E>[]>(
    type: P,
    handler: Handler<EventFor<P, E>>,
    options: HandlerOptions<EventFor<P, E>> = {},
  ): this {
    this.#refuseStarted();
    if (options.transaction && !this.#core.store.transaction) {
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

  /**
   * Removes a handler from where `on` put it. Events that it already runs for are not interrupted.
   *
   * @throws TypeError after `start`.
   */
  off<const P extends EventPattern<E> | readonly EventPattern<E>[]>(type: P, handler: Handler<EventFor<P, E>>): this {
    this.#refuseStarted();
    this.#core.registry.remove([type].flat(), handler as Handler<never> as Handler<ReceivedWebhookEvent>);
    return this;
  }

  /** The known types that the registered patterns match: what an endpoint should subscribe to. */
  get eventTypes(): readonly string[] {
    return expandPatterns(this.#core.registry.patterns(), this.#ownTypes);
  }

  /**
   * What adapters call: takes a delivery, or the promise of one, and never rejects.
   *
   * @param logger - Told of this delivery's refusal in the place of the handler's own: the request's, where it has one.
   */
  receive(
    delivery: WebhookDelivery | Promise<WebhookDelivery>,
    logger: WebhookLogger = this.#core.logger,
  ): Promise<WebhookReply> {
    return receiveDelivery(this.#flow, delivery, logger);
  }

  /**
   * Does what `receive` does, without the reply: `reply` makes one of the result. A failing handler is a result and not a
   * rejection.
   *
   * @throws WebhookError for what cannot be trusted, read or kept: any code of the reply table.
   */
  handle(
    payload: WebhookPayload,
    signature: WebhookSignature,
    context?: Partial<WebhookDelivery>,
  ): Promise<WebhookResult> {
    const arrive = () => ({
      body: toBytes(payload, this.limits.maxBodyBytes),
      digest: requireDigest(signature),
      head: context ? { ...NO_HEAD, ...context } : NO_HEAD,
    });
    return processDelivery(this.#flow, arrive, this.#core.logger);
  }

  /**
   * The reply that `receive` would have given for a result of `handle`, or for the error with which that rejected. Prefer
   * `receive` where you can: it never rejects.
   *
   * @throws Any other error that it is given, as it is; TypeError for what is neither.
   */
  reply(result: WebhookResult | WebhookError): WebhookReply {
    if (isWebhookError(result)) return replyToError(result);
    if (isResult(result)) return replyTo(result);
    throw isError(result) ? result : new TypeError('Pass reply a result of handle, or its error.');
  }

  /** Verifies and reads a delivery without running or remembering it: for those who dispatch by themselves. */
  async admit(
    delivery: WebhookDelivery | Promise<WebhookDelivery>,
    logger: WebhookLogger = this.#core.logger,
  ): Promise<WebhookAdmission> {
    try {
      const { event, tenant } = await admitDelivery(this.#flow, acceptDelivery(await delivery, this.limits), logger);
      return { event: await event.forRun(), tenant };
    } catch (error) {
      return { reply: replyToError(this.#flow.reporter.refuse(error, logger)) };
    }
  }

  /** Whether the signature is the payload's, under this handler's secret. See `verifyWebhookSignature`. */
  verifySignature(payload: WebhookPayload, signature: WebhookSignature): boolean {
    return this.#flow.authenticator.matches(payload, signature);
  }

  /**
   * Starts working off the queue. Register all handlers first: an event that none of them matches is kept as a dead letter.
   *
   * @param options - `concurrency`: events at a time, default 10.
   * @throws TypeError without a queue, and without a handler.
   */
  async start({ concurrency = 10 }: { readonly concurrency?: number } = {}): Promise<void> {
    const queue = this.#queueToWorkOff();
    const before = this.#started;
    // No handler is to come or go from here on, however long the queue takes to start.
    this.#started = true;
    try {
      await queue.start(this.#work, { concurrency });
      this.#flow.observer.attachAgain();
    } catch (error) {
      this.#started = before;
      throw error;
    }
  }

  /**
   * Takes nothing new from the queue, and waits for all that runs: deliveries that are not answered yet, handlers, those that
   * are late too, and work behind replies. Near the end of its time it aborts the signals of what is left, gives the rest back
   * to the queue, and names in the log what still runs.
   *
   * @param options - `timeoutMs`: how long that may take, default 10,000.
   */
  async stop({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    durationOrZero('timeoutMs', timeoutMs);
    this.#started = false;
    this.#flow.observer.detach();
    await stopAll({ ...this.#flow, running: this.#core.running, logger: this.#core.logger }, timeoutMs);
  }

  /**
   * Works off what the queue has ready, for cron jobs and serverless.
   *
   * @param options - `maxMs`: when to take nothing new. `max`: how many events, default all that are ready.
   * @returns How many were worked off.
   * @throws TypeError without a queue, and without a handler.
   */
  async drain(options: { readonly maxMs: number; readonly max?: number }): Promise<number> {
    const { maxMs, max = Number.POSITIVE_INFINITY } = options;
    return this.#queueToWorkOff().drain(this.#work, { maxMs, max });
  }

  #queueToWorkOff(): WebhookQueue {
    const { queue } = this.#flow;
    if (!queue) {
      throw new TypeError('This WebhookHandler has no queue: its handlers run before the reply. Pass { queue }.');
    }
    if (this.#hasHandlers()) return queue;
    throw new TypeError('Register handlers with on() first: else every queued event would become a dead letter.');
  }

  // Events are drained behind a reply where nothing else does it: not before there are handlers, nor after `stop`.
  #mayDrain(): boolean {
    return this.#started === undefined && this.#hasHandlers();
  }

  #hasHandlers(): boolean {
    return this.#core.registry.patterns().length > 0;
  }

  // An event that is worked off between `start` and `on` would miss a handler without a word.
  #refuseStarted(): void {
    if (this.#started) throw new TypeError('The workers run: call on() and off() before start(), or after stop().');
  }
}

function isOptions<E extends EventSchemas>(
  given: WebhookSecret | WebhookHandlerOptions<E>,
): given is WebhookHandlerOptions<E> {
  return typeof given === 'object' && given !== null && !Array.isArray(given) && !ArrayBuffer.isView(given);
}
