// A sandbox of tests (jest, jsdom) has classes of its own, so that `instanceof` is false for what comes from outside of it.

/** What `Object.prototype.toString` calls the value, whatever realm it comes from. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Whether the value is an Error, or of a class that extends it, of any realm. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || tagOf(value) === 'Error';
}
