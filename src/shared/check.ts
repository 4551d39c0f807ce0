import { nearestName } from './nearest.ts';
import { MOST_TIMER_MS } from './time.ts';

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

/** @throws TypeError unless the option's value is a time that a timer can hold: above 0, at most 24.8 days. */
export function duration(option: string, value: unknown): number {
  const ok = typeof value === 'number' && value > 0 && value <= MOST_TIMER_MS;
  check(ok, `\`${option}\``, `a number of milliseconds above 0 and at most ${MOST_TIMER_MS}`);
  return value;
}

/** @throws TypeError unless the option's value is 0 or a time that a timer can hold. */
export function durationOrZero(option: string, value: unknown): number {
  return value === 0 ? 0 : duration(option, value);
}

/** The names of all options of a type: the compiler asks for each. */
export type OptionNames<T> = Readonly<Record<keyof Required<T>, true>>;

/**
 * Refuses options of which nobody would ever hear: from JavaScript, a slip of the pen is no compile error.
 *
 * @throws TypeError for what is no object, and for an option that `names` does not know.
 */
export function checkNames<T extends object>(of: string, options: T, names: OptionNames<T>): void {
  check(typeof options === 'object' && options !== null, `The options of ${of}`, 'an object');
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    const nearest = nearestName(name, Object.keys(names));
    const hint = nearest ? `Did you mean \`${nearest}\`?` : `It knows ${Object.keys(names).join(', ')}.`;
    throw new TypeError(`${of} has no option \`${name}\`. ${hint}`);
  }
}

/** @throws TypeError unless each of `methods` is a function of the value. */
export function checkMethods(option: string, value: unknown, methods: readonly string[]): void {
  const given = value as Readonly<Record<string, unknown>> | null | undefined;
  const missing = methods.filter((method) => typeof given?.[method] !== 'function');
  check(missing.length === 0, `\`${option}\``, `an object with the methods ${methods.join(', ')}`);
}
