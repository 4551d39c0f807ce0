/**
 * Whether `await` would wait for the value: a promise of any kind, a function with a `then` too. Code on the way of every
 * delivery asks before it awaits what mostly is no promise, since each such wait costs a delivery over 1 %.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function';
}
