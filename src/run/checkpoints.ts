import type { AcquiredClaim } from '../store.ts';
import type { AskedStore } from './guarded-store.ts';
import type { Registration } from './handler-types.ts';
import type { Lease } from './lease.ts';

const DEAD = '!dead';

/** Whether the event was dead before this claim, and what is known of its handlers was kept when it was revived. */
export function wasDead({ steps }: AcquiredClaim): boolean {
  return DEAD in steps;
}

/**
 * What the store remembers of an event's handlers. A store keeps one map of texts for each event; here its names have
 * their meanings: `<handler>` is done, `<handler>/<step>` has a result, `<handler>/~<claim>` ran more than once,
 * `<handler>/!<number>` failed for good in the claim of that number. A replay runs such a handler again, and what it had is
 * kept: `!<number>` says in which claim the failures since the last replay began, and what is older counts no more. `!dead`
 * says that the event was dead before.
 */
export class Checkpoints {
  readonly #store: AskedStore;
  readonly #lease: Lease;
  readonly #claim: AcquiredClaim;
  /** As the claim brought them. */
  readonly #steps: Readonly<Record<string, string>>;

  constructor(store: AskedStore, lease: Lease, claim: AcquiredClaim) {
    this.#store = store;
    this.#lease = lease;
    this.#claim = claim;
    this.#steps = claim.steps;
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
    let runs = this.#claim.claims - 1;
    for (const [name, more] of Object.entries(this.#steps)) if (name.startsWith(`${id}/~`)) runs += Number(more);
    return runs;
  }

  /** Notes how often a handler ran within this claim. @throws LeaseLostError, and whatever the store throws. */
  async noteRuns({ id }: Registration, runs: number): Promise<void> {
    await this.#save(`${id}/~${this.#claim.claims}`, String(runs - 1));
  }

  /** With what a handler failed for good since the event was last revived, if it did. */
  errorOfEnded({ id }: Registration): Error | undefined {
    // Before the first failure everything is from before the event was revived.
    if (this.#claim.failures === 0) return undefined;
    const marks = this.#numbersOf('!');
    const ends = this.#numbersOf(`${id}/!`);
    // -Infinity where the handler never failed for good.
    const last = Math.max(...ends);
    if (last < Math.max(0, ...marks)) return undefined;
    return Object.assign(new Error(this.#steps[`${id}/!${last}`]), { name: 'Earlier failure' });
  }

  /** Notes that a handler is not to run again beside others that are. @throws LeaseLostError, and whatever the store throws. */
  async markEnded({ id }: Registration, error: string): Promise<void> {
    await this.#save(`${id}/!${this.#claim.attempt}`, error);
  }

  /** The event failed for the first time since it was revived. @throws LeaseLostError, and whatever the store throws. */
  async beginFailures(): Promise<void> {
    const { failures, attempt } = this.#claim;
    const isOld = failures === 0 && Object.keys(this.#steps).some((name) => name.includes('/!'));
    if (isOld) await this.#save(`!${attempt}`, '');
  }

  /** The event is about to be dead: if it is run again, that is a replay. @throws LeaseLostError, and whatever the store throws. */
  async markDead(): Promise<void> {
    await this.#save(DEAD, '');
  }

  #numbersOf(prefix: string): readonly number[] {
    const names = Object.keys(this.#steps).filter((name) => name.startsWith(prefix));
    return names.map((name) => Number(name.slice(prefix.length))).filter(Number.isInteger);
  }

  async #save(name: string, value: string, tx?: unknown): Promise<boolean> {
    const { key, token } = this.#lease;
    const saved = await this.#store.checkpoint(key, token, name, value, tx);
    if (saved === 'lost') throw this.#lease.lose();
    return saved === 'saved';
  }
}
