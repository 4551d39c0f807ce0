import type { WebhookLogger } from '../report/logger.ts';
import type { Attempt } from './attempt.ts';
import type { HandlerContext } from './handler-types.ts';
import { idempotencyKey } from './keys.ts';

/** Calls the handler with its event and a context. */
export function callHandler(attempt: Attempt): unknown {
  return attempt.run.registration.handler(attempt.event, new Context(attempt));
}

// The context is a class, since the accessors of a literal are made anew for each event (a quarter of a whole delivery), and most handlers
// use none of them. Its methods are accessors so that `const { once } = context` works.
class Context implements HandlerContext {
  readonly attempt: number;
  readonly tx: unknown;
  readonly #attempt: Attempt;
  #rawBody: Uint8Array | undefined;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
    this.attempt = attempt.number;
    this.tx = attempt.tx;
  }

  get signal(): AbortSignal {
    return this.#attempt.run.signal;
  }

  get idempotencyKey(): string {
    return idempotencyKey(this.#attempt.run);
  }

  get fencingToken(): number {
    return this.#attempt.run.execution.claim.attempt;
  }

  get handlerName(): string {
    return this.#attempt.run.registration.name;
  }

  get tenant(): string | undefined {
    return this.#attempt.run.execution.job.tenant;
  }

  get rawBody(): Uint8Array {
    // A copy of its own: other runs are read from these bytes. `slice` keeps a Buffer a Buffer, and copies it nonetheless.
    this.#rawBody ??= Uint8Array.prototype.slice.call(this.#attempt.run.execution.job.body);
    return this.#rawBody;
  }

  get logger(): WebhookLogger {
    return this.#attempt.run.execution.core.logger;
  }

  get once(): HandlerContext['once'] {
    return (step, work) => this.#attempt.once(step, work);
  }

  get isStale(): HandlerContext['isStale'] {
    return (entity) => this.#attempt.isStale(entity);
  }

  get commit(): HandlerContext['commit'] {
    const { registration, execution } = this.#attempt.run;
    if (!registration.options.transaction || execution.core.store.transactions !== 'sync') return undefined;
    return (effect) => this.#attempt.commit(effect);
  }
}
