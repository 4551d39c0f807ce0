import type { QueueSlot } from '../../index.ts';

/** How many deliveries may run at a time. */
export class Slots {
  #free: number;
  readonly #entering: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  get free(): number {
    return this.#free;
  }

  take(): void {
    this.#free--;
  }

  /** Gives a slot back: to whoever waits to go on, else for new deliveries. */
  give(): void {
    const next = this.#entering.shift();
    if (next) next();
    else this.#free++;
  }

  /** Waits for a slot. */
  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#entering.push(resolve));
  }

  /** Has room for all from now on: whoever waits is told to stop, and is not to wait for that. */
  open(): void {
    this.#free = Number.POSITIVE_INFINITY;
    for (const next of this.#entering.splice(0)) next();
  }
}

/** The slot of one delivery, which leaves it while it waits for something else. */
export class HeldSlot implements QueueSlot {
  readonly #slots: Slots;
  readonly #onLeave: () => void;
  #left = false;

  constructor(slots: Slots, onLeave: () => void) {
    this.#slots = slots;
    this.#onLeave = onLeave;
    slots.take();
  }

  get left(): boolean {
    return this.#left;
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#slots.give();
    this.#onLeave();
  }

  async enter(): Promise<void> {
    await this.#slots.enter();
    this.#left = false;
  }

  /** The workers, or the drain, that it belongs to are stopped. */
  open(): void {
    this.#slots.open();
  }

  /** The delivery has ended, wherever it was. */
  end(): void {
    if (!this.#left) this.#slots.give();
  }
}
