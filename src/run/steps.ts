import { NonRetryableError } from '../retry/errors.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Registration } from './handler-types.ts';

const MOST_CHARACTERS = 8192;
const NAME = /^[\w.-]{1,64}$/;
// No JSON text is empty or begins like this, so that both are free to stand for what is none.
const UNDEFINED = '';
const REFUSED = '!';

/**
 * The steps of `once` of a handler over all its attempts within a claim: a step that an earlier attempt is still at, or whose
 * result the store did not take, is not run a second time.
 */
export class Steps {
  readonly #checkpoints: Checkpoints;
  readonly #registration: Registration;
  /** Steps that have begun and have not failed. */
  #begun: Map<string, Promise<unknown>> | undefined;
  /** Results that are still to be stored, as text. */
  #unstored: Map<string, string> | undefined;

  constructor(checkpoints: Checkpoints, registration: Registration) {
    this.#checkpoints = checkpoints;
    this.#registration = registration;
  }

  /**
   * Runs `work` unless it has run before.
   *
   * @returns What JSON makes of its result.
   * @throws What the work throws; NonRetryableError for a result that cannot be stored; what the checkpoint throws.
   */
  once<T>(step: string, work: () => T | Promise<T>): Promise<T> {
    this.#begun ??= new Map();
    const steps = this.#begun;
    const begun = steps.get(step);
    if (begun) return begun as Promise<T>;
    const result = this.#run(step, work);
    steps.set(step, result);
    // A step that failed may be tried again, within the same attempt too.
    result.catch(() => steps.delete(step));
    return result as Promise<T>;
  }

  async #run(step: string, work: () => unknown): Promise<unknown> {
    if (!NAME.test(step)) throw new TypeError('A step name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.');
    const stored = this.#checkpoints.readStep(this.#registration, step);
    if (stored !== undefined) return decode(stored, step);
    const unstored = this.#unstored?.get(step) ?? encode(await work());
    this.#unstored ??= new Map();
    this.#unstored.set(step, unstored);
    await this.#checkpoints.keepStep(this.#registration, step, unstored);
    return decode(unstored, step);
  }
}

function encode(result: unknown): string {
  try {
    const value = JSON.stringify(result) ?? UNDEFINED;
    return value.length > MOST_CHARACTERS ? REFUSED : value;
  } catch {
    // A BigInt, a circle, or a toJSON that throws.
    return REFUSED;
  }
}

function decode(value: string, step: string): unknown {
  if (value === UNDEFINED) return undefined;
  if (value !== REFUSED) return JSON.parse(value);
  throw new NonRetryableError(
    `Step '${step}' has run, and is not run again for this event; but its result is over 8 kB as JSON, or none, and was not kept. Return a reference to it from a step of another name.`,
  );
}
