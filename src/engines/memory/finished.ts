/** Counters of an event. */
export interface Counts {
  readonly attempt: number;
  readonly claims: number;
  readonly failures: number;
}

/** Counters of an event that succeeds at once, as nearly all do: shared, since there may be a hundred thousand of them. */
export const FIRST_CLAIM: Counts = { attempt: 1, claims: 1, failures: 0 };

/** A finished event. Each has as few words as it can, since there may be a hundred thousand of them. */
export interface Finished {
  readonly state?: undefined;
  readonly key: string;
  readonly token: number;
  readonly counts: Counts;
  readonly bodyHash: string;
  readonly untilMs: number;
  next: Finished | undefined;
}

/** Finished events in the order of their completion, which is the order in which they expire. */
export class FinishedList {
  #oldest: Finished | undefined;
  #newest: Finished | undefined;

  get oldest(): Finished | undefined {
    return this.#oldest;
  }

  add(row: Finished): void {
    if (this.#newest) this.#newest.next = row;
    else this.#oldest = row;
    this.#newest = row;
  }

  removeOldest(): void {
    this.#oldest = this.#oldest?.next;
    if (!this.#oldest) this.#newest = undefined;
  }
}
