import type { QueueSlot } from '../queue.ts';

/** The slot in which a worker runs an event: it is lent to another event while every handler that has not ended waits for its lane. */
export class LentSlot {
  readonly #slot: QueueSlot | undefined;
  #waiting = 0;
  #lent = false;
  #entering: Promise<void> | undefined;

  constructor(slot: QueueSlot | undefined) {
    this.#slot = slot;
  }

  /** A handler waits, of so many that have not ended. The number may fall meanwhile: `look` is to be told. */
  async lendFor<T>(waiting: Promise<T>, open: () => number): Promise<T> {
    this.#waiting++;
    this.look(open());
    try {
      return await waiting;
    } finally {
      this.#waiting--;
      await this.#enter();
    }
  }

  /** Lends the slot if all of the handlers that have not ended wait. */
  look(open: number): void {
    if (this.#lent || this.#waiting === 0 || this.#waiting < open) return;
    this.#lent = true;
    this.#slot?.leave();
  }

  async #enter(): Promise<void> {
    if (!this.#lent) return;
    this.#entering ??= this.#slot?.enter();
    await this.#entering;
    this.#entering = undefined;
    this.#lent = false;
  }
}
