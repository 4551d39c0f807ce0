/** The newest version that was applied to each entity, of as many entities as there is room for. */
export class Versions {
  readonly #most: number;
  readonly #versions = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  latest(entity: string): number | undefined {
    return this.#versions.get(entity);
  }

  /** Raises an entity's version. False: a newer one was already applied. */
  advance(entity: string, version: number): boolean {
    if ((this.latest(entity) ?? version) > version) return false;
    // The entity is set anew, so that those of late are the last to be forgotten.
    this.#versions.delete(entity);
    this.#versions.set(entity, version);
    if (this.#versions.size > this.#most) {
      for (const oldest of this.#versions.keys()) return this.#versions.delete(oldest);
    }
    return true;
  }
}
