/** The deliveries that entered between two calls of `idle`. */
interface Generation {
  open: number;
  wake: (() => void) | undefined;
}

/** Counts the deliveries that are on their way through the flow, so that `stop` can wait for them. */
export class OpenDeliveries {
  #newest: Generation = { open: 0, wake: undefined };
  /** Resolves when the deliveries of all earlier generations have left. */
  #earlier: Promise<unknown> = Promise.resolve();

  /** @returns What `leave` takes at the end of this delivery. */
  enter(): Generation {
    this.#newest.open++;
    return this.#newest;
  }

  leave(generation: Generation): void {
    if (--generation.open === 0) generation.wake?.();
  }

  /** Waits for those that are open now, and for none that comes later. */
  async idle(): Promise<void> {
    const generation = this.#newest;
    if (generation.open > 0) {
      this.#newest = { open: 0, wake: undefined };
      const left = new Promise<void>((resolve) => {
        generation.wake = resolve;
      });
      this.#earlier = Promise.all([this.#earlier, left]);
    }
    await this.#earlier;
  }
}
