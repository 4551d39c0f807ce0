/** The longest wait that a timer can hold, 24.8 days: beyond it, it fires at once. */
export const MOST_TIMER_MS = 2 ** 31 - 1;

/**
 * Resolves after `ms` milliseconds; 0 lets pending events run first. The timer keeps the process alive.
 *
 * @param ms - From 0; more than a timer can hold (24.8 days) is waited for in legs.
 * @param signal - Ends the wait at once.
 * @throws The signal's reason when it aborts, or had before; `TypeError` when `ms` is not such a number.
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!(ms >= 0)) throw new TypeError('Pass sleep a number of milliseconds from 0.');
    signal?.throwIfAborted();
    let timer: ReturnType<typeof setTimeout>;
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const startLeg = (leftMs: number) => {
      timer = setTimeout(
        () => {
          if (leftMs > MOST_TIMER_MS) return startLeg(leftMs - MOST_TIMER_MS);
          signal?.removeEventListener('abort', abort);
          resolve();
        },
        Math.min(leftMs, MOST_TIMER_MS),
      );
    };
    signal?.addEventListener('abort', abort, { once: true });
    startLeg(ms);
  });
}

/**
 * Waits for `work`, at most `ms` milliseconds: then what `late` returns or throws takes its place, and nobody hears how
 * `work` ends. Written by hand, since `Promise.race` costs a delivery several promises more.
 *
 * @param ms - More than a timer can hold is cut to that.
 */
export function within<T, L>(ms: number, work: PromiseLike<T>, late: () => L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const onLate = () => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    };
    const timer = setTimeout(onLate, Math.min(ms, MOST_TIMER_MS));
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
