/**
 * Refuses an option that makes no sense, where it is given and not where it is first used.
 *
 * @throws TypeError `<what> must be <wanted>.`
 */
export function check(ok: boolean, what: string, wanted: string): asserts ok {
  if (!ok) throw new TypeError(`${what} must be ${wanted}.`);
}

/** @throws TypeError unless the option's value is a number above 0. */
export function positive(option: string, value: unknown): number {
  check(typeof value === 'number' && value > 0, `\`${option}\``, 'a number above 0');
  return value;
}

/** @throws TypeError unless the option's value is a whole number from 1. */
export function positiveInteger(option: string, value: unknown): number {
  check(typeof value === 'number' && Number.isInteger(value) && value >= 1, `\`${option}\``, 'a whole number from 1');
  return value;
}

/** @throws TypeError unless the option's value is a number from 0. */
export function notNegative(option: string, value: unknown): number {
  check(typeof value === 'number' && value >= 0, `\`${option}\``, 'a number from 0');
  return value;
}
