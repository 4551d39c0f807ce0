import { WebhookError } from './errors.ts';

/** Keeps the pieces of one body as they come, up to a limit: for whoever writes an adapter. */
export class BodyCollector {
  readonly #maxBytes: number;
  readonly #announced: number;
  #bytes: Uint8Array = new Uint8Array();
  #size = 0;

  /**
   * @param maxBytes - The handler's `limits.maxBodyBytes`.
   * @param announced - The value of the Content-Length header, which saves copying where it is right.
   */
  constructor(maxBytes: number, announced?: number | string | null) {
    this.#maxBytes = maxBytes;
    // The announced length is believed up to the limit: else a header alone could reserve memory without end.
    this.#announced = Math.min(Number(announced), maxBytes);
  }

  /**
   * Adds the next piece. The only piece of a body is kept as it is; several are copied into one buffer.
   *
   * @throws WebhookError `body_too_large` once there are more bytes than allowed.
   */
  add(piece: Uint8Array): void {
    const end = this.#size + piece.length;
    if (end > this.#maxBytes) throw new WebhookError('body_too_large');
    if (this.#size === 0) this.#bytes = piece;
    else {
      if (end > this.#bytes.length) this.#grow(end);
      this.#bytes.set(piece, this.#size);
    }
    this.#size = end;
  }

  /** All bytes that were added, in a buffer of their size. */
  bytes(): Uint8Array {
    return this.#bytes.length > this.#size ? this.#bytes.slice(0, this.#size) : this.#bytes;
  }

  // The pieces go into a growing buffer: a list of them could weigh a hundred times as much as their bytes do.
  #grow(end: number): void {
    const grown = new Uint8Array(this.#announced >= end ? this.#announced : 2 * end);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
