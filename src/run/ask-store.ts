import { WebhookError } from '../errors.ts';

/** @throws WebhookError `store_unavailable` for whatever the store throws, with that as its cause. */
export function askStore<T>(question: () => Promise<T>): Promise<T> {
  try {
    return Promise.resolve(question()).catch(refuse);
  } catch (cause) {
    return Promise.reject(storeUnavailable(cause));
  }
}

function refuse(cause: unknown): never {
  throw storeUnavailable(cause);
}

function storeUnavailable(cause: unknown): WebhookError {
  return new WebhookError('store_unavailable', { cause });
}
