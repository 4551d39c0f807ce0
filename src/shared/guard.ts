import { isThenable } from './thenable.ts';

/**
 * Calls what an integrator passed in and that has an answer: what it throws is a rejection, a thenable is a promise.
 * Whether an answer ever comes is for `Asker` to see to.
 */
export function guarded<T>(call: () => T | PromiseLike<T>): Promise<T> {
  try {
    return Promise.resolve(call());
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Calls what an integrator passed in and that decides nothing: a logger, an alert, the platform's `waitUntil`. Nobody waits
 * for it, and neither what it throws nor what it rejects with goes further than `failed`, which must not throw.
 */
export function unheeded(call: () => unknown, failed: (error: unknown) => void = ignore): void {
  try {
    const returned = call();
    if (isThenable(returned)) Promise.resolve(returned).then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

/**
 * Takes a value from an integrator's function that has to answer at once. Where it is a promise instead, nobody waits for that,
 * and nobody hears how it ends.
 */
export function atOnce(value: unknown): unknown {
  unheeded(() => value);
  return value;
}

function ignore(): void {
  // A logger that throws has nobody to tell of it.
}
