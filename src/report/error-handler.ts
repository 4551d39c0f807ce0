import type { ReceivedWebhookEvent, WebhookEventType } from '../events/index.ts';
import { checkNames, type OptionNames } from '../shared/check.ts';
import { consoleLogger, logAboutEvent, type WebhookLogger } from './logger.ts';

/** The event types whose failure is worth an alert unless you say otherwise. */
export const CRITICAL_EVENT_TYPES: readonly string[] = [
  'user.deleted',
  'auth.failed_attempts',
  'admin.audit_alert',
] satisfies readonly WebhookEventType[];

/** What to do with an event that has failed for good. Each step is optional and may be asynchronous. */
export interface WebhookErrorHandlerOptions {
  /** Keeps the event for later. */
  readonly storeFailedEvent?: ((event: ReceivedWebhookEvent, error: unknown) => unknown) | undefined;
  /** Tells somebody; called for critical types only. */
  readonly sendAlert?: ((event: ReceivedWebhookEvent, error: unknown) => unknown) | undefined;
  /** Arranges another run. A `WebhookHandler` with a queue does not call it: the queue retries. */
  readonly scheduleRetry?: ((event: ReceivedWebhookEvent, error: unknown) => unknown) | undefined;
  /** Which types are critical. Default {@link CRITICAL_EVENT_TYPES}. */
  readonly isCritical?: ((eventType: string) => boolean | Promise<boolean>) | undefined;
  /** Default: the console. */
  readonly logger?: WebhookLogger | undefined;
}

const NAMES: OptionNames<WebhookErrorHandlerOptions> = {
  storeFailedEvent: true,
  sendAlert: true,
  scheduleRetry: true,
  isCritical: true,
  logger: true,
};

/** Options of {@link WebhookErrorHandler.handle}. */
export interface HandleFailureOptions {
  /** `false` leaves the last step out, where something else retries. Default `true`. */
  readonly scheduleRetry?: boolean | undefined;
}

/**
 * Does what is left to do when an event has failed for good: logs it, stores it, alerts when its type is critical,
 * schedules a retry, in this order, one after the other. A step that fails is logged, and the next one is taken.
 *
 * Give the steps to the constructor. Or, as the documented static form suggests, write a subclass with static
 * `storeFailedEvent`, `sendAlert`, `scheduleRetry` or `isCritical`: its static `handle` and its instances use them,
 * what the constructor is given first.
 *
 * @example
 * ```ts
 * const errorHandler = new WebhookErrorHandler({ sendAlert: (event, error) => pager.alert(event.type, error) });
 * const webhooks = new WebhookHandler({ secret, errorHandler });
 * ```
 */
export class WebhookErrorHandler {
  readonly #steps: Steps;

  /** Takes the steps; without any, a failure is only logged. */
  constructor(options: WebhookErrorHandlerOptions = {}) {
    checkNames('WebhookErrorHandler', options, NAMES);
    this.#steps = stepsOf(new.target, options);
  }

  /** Takes all steps for `event`, which failed with `error`. Settles when the last step has; never rejects. */
  handle(event: ReceivedWebhookEvent, error: unknown, options: HandleFailureOptions = {}): Promise<void> {
    return takeSteps(this.#steps, event, error, options);
  }

  /** Like the method of an instance that was given nothing: takes the steps that a subclass has as static methods. Never rejects. */
  static handle(event: ReceivedWebhookEvent, error: unknown, options: HandleFailureOptions = {}): Promise<void> {
    // biome-ignore lint/complexity/noThisInStatic: the steps of the subclass it is called on.
    return takeSteps(stepsOf(this, {}), event, error, options);
  }

  /** Whether a failure of this type is worth an alert: one of {@link CRITICAL_EVENT_TYPES}. */
  static isCritical(eventType: string): boolean {
    return CRITICAL_EVENT_TYPES.includes(eventType);
  }

  /** For a subclass to define: keeps the event for later. */
  static storeFailedEvent?(event: ReceivedWebhookEvent, error: unknown): unknown;

  /** For a subclass to define: tells somebody. */
  static sendAlert?(event: ReceivedWebhookEvent, error: unknown): unknown;

  /** For a subclass to define: arranges another run. */
  static scheduleRetry?(event: ReceivedWebhookEvent, error: unknown): unknown;
}

interface Steps extends WebhookErrorHandlerOptions {
  readonly isCritical: (eventType: string) => boolean | Promise<boolean>;
}

function stepsOf(own: typeof WebhookErrorHandler, options: WebhookErrorHandlerOptions): Steps {
  return {
    storeFailedEvent: options.storeFailedEvent ?? own.storeFailedEvent?.bind(own),
    sendAlert: options.sendAlert ?? own.sendAlert?.bind(own),
    scheduleRetry: options.scheduleRetry ?? own.scheduleRetry?.bind(own),
    isCritical: options.isCritical ?? own.isCritical.bind(own),
    logger: options.logger,
  };
}

async function takeSteps(
  { storeFailedEvent, sendAlert, scheduleRetry, isCritical, logger = consoleLogger }: Steps,
  event: ReceivedWebhookEvent,
  error: unknown,
  options: HandleFailureOptions,
): Promise<void> {
  const take = async (step: string, work: () => unknown) => {
    try {
      await work();
    } catch (err) {
      logAboutEvent(
        logger,
        'error',
        event,
        { step, err },
        'A step after the failure of a webhook event failed as well',
      );
    }
  };

  logAboutEvent(logger, 'error', event, { err: error }, 'Webhook event failed');
  await take('storeFailedEvent', () => storeFailedEvent?.(event, error));
  // An event is critical, too, when isCritical throws: better an alert too many.
  let critical = true;
  await take('isCritical', async () => {
    critical = await isCritical(event.type);
  });
  if (critical) await take('sendAlert', () => sendAlert?.(event, error));
  if (options.scheduleRetry !== false) await take('scheduleRetry', () => scheduleRetry?.(event, error));
}
