interface Generation {
  open: number;
  wake: (() => void) | undefined;
}

/** Counts the deliveries that are on their way through the flow, so that `stop` can wait for them. */
export class OpenDeliveries {
  #newest: Generation = { open: 0, wake: undefined };

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
    if (generation.open === 0) return;
    this.#newest = { open: 0, wake: undefined };
    await new Promise<void>((resolve) => {
      generation.wake = resolve;
    });
  }
}
