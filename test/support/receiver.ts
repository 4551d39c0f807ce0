import { type NoEventSchemas, WebhookHandler, type WebhookHandlerOptions } from '@pathfinder/webhooks';
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
