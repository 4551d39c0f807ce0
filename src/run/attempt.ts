import type { HandlerRun } from './handler-run.ts';
import { entityKey } from './keys.ts';

const MOST_STEP_CHARACTERS = 8192;
const STEP_NAME = /^[\w.-]{1,64}$/;

/** An attempt of a handler, and what it asks for on its way: what the handler's context does, and what its success records. */
export class Attempt {
  readonly run: HandlerRun;
  /** Runs of this handler for this event, this one included. */
  readonly number: number;
  /** The transaction that is open around the handler. */
  readonly tx: unknown;
  /** Entities of which the handler asked whether the event is stale. */
  #entities: Set<string> | undefined;
  #effect: ((db: unknown) => void) | undefined;
  /** Steps of `once` that this attempt is at or has done. */
  #steps: Map<string, Promise<unknown>> | undefined;

  constructor(run: HandlerRun, number: number, tx?: unknown) {
    this.run = run;
    this.number = number;
    this.tx = tx;
  }

  once<T>(step: string, work: () => T | Promise<T>): Promise<T> {
    this.#steps ??= new Map();
    const steps = this.#steps;
    const begun = steps.get(step);
    if (begun) return begun as Promise<T>;
    const result = this.#runStep(step, work);
    steps.set(step, result);
    // A step that failed may be tried again, within the same attempt too.
    result.catch(() => steps.delete(step));
    return result;
  }

  async #runStep<T>(step: string, work: () => T | Promise<T>): Promise<T> {
    const { execution, registration } = this.run;
    if (!STEP_NAME.test(step)) throw new TypeError('A step name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.');
    const stored = execution.checkpoints.readStep(registration, step);
    if (stored !== undefined) return decodeStep(stored) as T;
    const result = await work();
    await execution.checkpoints.keepStep(registration, step, encodeStep(result, step));
    return result;
  }

  async isStale(entity: string): Promise<boolean> {
    this.#entities ??= new Set();
    this.#entities.add(entity);
    const { core, job } = this.run.execution;
    const latest = await core.store.latest(entityKey(this.run, entity));
    return latest !== undefined && latest > job.event.created;
  }

  /** Keeps the effect for the transaction that marks the handler done. */
  commit(effect: (db: unknown) => void): void {
    if (this.#effect) throw new TypeError('context.commit takes one effect: put all statements into it.');
    this.#effect = effect;
  }

  applyEffect(tx: unknown): void {
    this.#effect?.(tx);
  }

  get hasEntities(): boolean {
    return this.#entities !== undefined;
  }

  /**
   * Raises the versions of the entities that the handler asked about to the event's.
   *
   * @returns Whether none of them had a newer version.
   */
  async advanceEntities(tx?: unknown): Promise<boolean> {
    const { core, job } = this.run.execution;
    let newest = true;
    for (const entity of this.#entities ?? []) {
      const advanced = await core.store.advance(entityKey(this.run, entity), job.event.created, tx);
      newest &&= advanced;
    }
    return newest;
  }
}

// No JSON text is empty, so that the empty text is free to stand for `undefined`.
function encodeStep(result: unknown, step: string): string {
  const value = JSON.stringify(result) ?? '';
  if (value.length <= MOST_STEP_CHARACTERS) return value;
  throw new TypeError(`The result of step '${step}' is over 8 kB as JSON: return a reference to it instead.`);
}

function decodeStep(value: string): unknown {
  return value === '' ? undefined : JSON.parse(value);
}
