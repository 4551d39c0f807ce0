import type { ReceivedWebhookEvent } from '../events/index.ts';
import { NonRetryableError } from '../retry/errors.ts';
import { isThenable } from '../shared/thenable.ts';
import type { HandlerRun } from './handler-run.ts';
import { entityKey } from './keys.ts';

const ASYNC_EFFECT =
  'The effect of context.commit must be synchronous: the transaction ends with it. Await what you need before, in the handler.';

/** An attempt of a handler, and what it asks for on its way: what the handler's context does, and what its success records. */
export class Attempt {
  readonly run: HandlerRun;
  /** Runs of this handler for this event, this one included. */
  readonly number: number;
  /** The event as this attempt has it. */
  readonly event: ReceivedWebhookEvent;
  /** The transaction that is open around the handler. */
  readonly tx: unknown;
  /** Entities of which the handler asked whether the event is stale. */
  #entities: Set<string> | undefined;
  #effect: ((db: unknown) => void) | undefined;

  constructor(run: HandlerRun, number: number, event: ReceivedWebhookEvent, tx?: unknown) {
    this.run = run;
    this.number = number;
    this.event = event;
    this.tx = tx;
  }

  once<T>(step: string, work: () => T | Promise<T>): Promise<T> {
    return this.run.steps.once(step, work);
  }

  async isStale(entity: string): Promise<boolean> {
    this.#entities ??= new Set();
    this.#entities.add(entity);
    const { core, job } = this.run.execution;
    const latest = await core.store.latest(entityKey(this.run, entity));
    return latest !== undefined && latest > job.event.created;
  }

  /** Keeps the effect for the transaction that marks the handler done. @throws TypeError for a second one, and for one that waits. */
  commit(effect: (db: unknown) => void): void {
    if (typeof effect !== 'function') throw new TypeError('context.commit takes a function of the database.');
    // An asynchronous effect must not even begin: what comes after its first wait would be outside of the transaction.
    if (effect.constructor.name === 'AsyncFunction') throw new TypeError(ASYNC_EFFECT);
    if (this.#effect) throw new TypeError('context.commit takes one effect: put all statements into it.');
    this.#effect = effect;
  }

  /** @throws What the effect throws; NonRetryableError when it is asynchronous. */
  applyEffect(tx: unknown): void {
    const returned: unknown = this.#effect?.(tx);
    if (!isThenable(returned)) return;
    // The effect is not tried again: what it does after its first wait cannot be rolled back.
    Promise.resolve(returned).catch(() => undefined);
    throw new NonRetryableError(ASYNC_EFFECT);
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
