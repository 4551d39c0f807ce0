import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** The text that is written to a file from now on. */
export class FileTail {
  readonly #path: string;
  readonly #startsAt: number;

  /** @param path - The file, which need not be there yet. */
  constructor(path: string) {
    this.#path = path;
    this.#startsAt = sizeOf(path) ?? 0;
  }

  /** Whether there is such a file. */
  get exists(): boolean {
    return sizeOf(this.#path) !== undefined;
  }

  /** All that was written since; of a file that was replaced by a smaller one, all of it. */
  read(): string {
    const size = sizeOf(this.#path);
    if (size === undefined) return '';
    const from = size < this.#startsAt ? 0 : this.#startsAt;
    const bytes = Buffer.alloc(size - from);
    const file = openSync(this.#path, 'r');
    try {
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from)).toString('utf8');
    } finally {
      closeSync(file);
    }
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
