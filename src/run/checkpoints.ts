import type { Claim } from '../store.ts';
import type { AskedStore } from './guarded-store.ts';
import type { Registration } from './handler-types.ts';
import type { Lease } from './lease.ts';

/** The claim of a worker that may run the event. */
export type AcquiredClaim = Extract<Claim, { status: 'acquired' }>;

/**
 * What the store remembers of an event's handlers. A store keeps one map of texts for each event; here its names have
 * their three meanings: `<handler>` is done, `<handler>/<step>` has a result, `<handler>/~<claim>` ran more than once.
 */
export class Checkpoints {
  readonly #store: AskedStore;
  readonly #lease: Lease;
  readonly #claims: number;
  /** As the claim brought them. */
  readonly #steps: Readonly<Record<string, string>>;

  constructor(store: AskedStore, lease: Lease, { steps, claims }: AcquiredClaim) {
    this.#store = store;
    this.#lease = lease;
    this.#claims = claims;
    this.#steps = steps;
  }

  /** Whether the handler has succeeded in an earlier claim. */
  isDone({ id }: Registration): boolean {
    return id in this.#steps;
  }

  /**
   * @returns Whether this call made the mark: not when an earlier one did, whose answer was lost.
   * @throws LeaseLostError, and whatever the store throws.
   */
  async markDone({ id }: Registration, tx?: unknown): Promise<boolean> {
    return this.#save(id, '', tx);
  }

  /** The result of a step of `once` that an earlier claim stored. */
  readStep({ id }: Registration, step: string): string | undefined {
    return this.#steps[`${id}/${step}`];
  }

  /** Stores the result of a step of `once`. @throws LeaseLostError, and whatever the store throws. */
  async keepStep({ id }: Registration, step: string, value: string): Promise<void> {
    await this.#save(`${id}/${step}`, value);
  }

  /** How often the handler ran in earlier claims: a claim is one run, unless it was noted that it made more. */
  runsBefore({ id }: Registration): number {
    let runs = this.#claims - 1;
    for (const [name, more] of Object.entries(this.#steps)) if (name.startsWith(`${id}/~`)) runs += Number(more);
    return runs;
  }

  /** Notes how often a handler ran within this claim. @throws LeaseLostError, and whatever the store throws. */
  async noteRuns({ id }: Registration, runs: number): Promise<void> {
    await this.#save(`${id}/~${this.#claims}`, String(runs - 1));
  }

  async #save(name: string, value: string, tx?: unknown): Promise<boolean> {
    const { key, token } = this.#lease;
    const saved = await this.#store.checkpoint(key, token, name, value, tx);
    if (saved === 'lost') throw this.#lease.lose();
    return saved === 'saved';
  }
}
