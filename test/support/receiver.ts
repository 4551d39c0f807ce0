import {
  type NoEventSchemas,
  WebhookError,
  WebhookHandler,
  type WebhookHandlerOptions,
  type WebhookStore,
} from '@pathfinder/webhooks';
import { parseWebhookEvent } from '../../src/parse.ts';
import { Asker } from '../../src/run/ask.ts';
import { createDeadlines } from '../../src/run/deadlines.ts';
import { type AskedStore, guardStore } from '../../src/run/guarded-store.ts';
import { SignedEvent } from '../../src/run/signed-event.ts';
import { bodyOf, type DeliveryOptions, deliveryOf, recordingLogger, SECRET } from './deliver.ts';

/** A handler with a short backoff that remembers what it logged and told `onError`. */
export function receiverWith(options: Partial<WebhookHandlerOptions> = {}) {
  const logger = recordingLogger();
  const errors: unknown[] = [];
  const webhooks = new WebhookHandler({
    secret: SECRET,
    logger,
    onError: (error: unknown) => void errors.push(error),
    retry: { baseMs: 1 },
    ...options,
  } as WebhookHandlerOptions<NoEventSchemas>);
  const receive = (overrides: Readonly<Record<string, unknown>> = {}, more: DeliveryOptions = {}) =>
    webhooks.receive(deliveryOf(bodyOf(overrides), more));
  return { webhooks, logger, errors, receive };
}

/** A promise, and the functions that settle it. */
export function gate<T = void>() {
  let open: (value: T) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

/** Asks what an integrator passed in; rejects with what went wrong as it is. */
export function plainAsker(timeoutMs = 5000, refuse = (cause: unknown): unknown => cause): Asker {
  return new Asker({ deadlines: createDeadlines(), timeoutMs, refuse });
}

/** A store behind the guard of a handler, which has a second for each call. */
export function guardedStore(store: WebhookStore): AskedStore {
  const asker = plainAsker(1000, (cause) => new WebhookError('store_unavailable', { cause }));
  return guardStore(store, asker, { retryInMs: 0 });
}

/** The event of a body, as the flow has it once it is verified. */
export function signedEvent(body: Uint8Array = bodyOf()): SignedEvent {
  const event = parseWebhookEvent(body);
  return new SignedEvent(event, body, undefined, event);
}

/** A promise of another library: all that it has is a `then`. */
export function thenableOf<T>(value: T): PromiseLike<T> {
  return Object.defineProperty({}, 'then', {
    value: (resolve: (value: T) => void) => resolve(value),
  }) as PromiseLike<T>;
}
