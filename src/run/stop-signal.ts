import { guardListeners } from './guarded-signal.ts';

/** What tells a handler to stop. The signal itself is made when the handler first asks for it, which most do not. */
export class StopSignal {
  readonly #listenerFailed: (error: unknown) => void;
  #controller: AbortController | undefined;
  #reason: unknown;

  /** @param listenerFailed - Told of what a listener of the signal threw. */
  constructor(listenerFailed: (error: unknown) => void) {
    this.#listenerFailed = listenerFailed;
  }

  /** The first reason counts. */
  abort(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      guardListeners(this.#controller.signal, this.#listenerFailed);
      if (this.aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
}
