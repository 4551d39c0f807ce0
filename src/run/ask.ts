import { guarded } from '../shared/guard.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

/** Questions that may be open at a time: whatever comes while a store hangs holds its delivery until its time is over. */
const MOST_OPEN = 10_000;

/** What an asker needs. */
export interface AskerOptions {
  readonly deadlines: Deadlines;
  /** How long to wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** The error to reject with: `cause` is what was thrown, or a `NoAnswerError`. */
  refuse(cause: unknown): unknown;
}

/** What may be said of a question beside the call itself. */
export interface AskOptions<T> {
  /** Whether it is an answer at all: what is none counts as a failure. Default: everything is. */
  readonly isAnswer?: (answer: T) => boolean;
  /** Told of an answer that came when nobody waited any more. Must not throw. */
  readonly late?: (answer: T) => void;
}

/** Why a question was given up, or not asked. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/**
 * Asks what an integrator passed in: a store, a queue, a schema, a function for secrets. It may throw, reject, answer late or
 * never; nobody waits for it beyond its time, and a question that is late holds on to nothing of its delivery.
 */
export class Asker {
  readonly #options: AskerOptions;
  #open = 0;

  constructor(options: AskerOptions) {
    this.#options = options;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  /** @throws What `refuse` makes of a failure, or of no answer. */
  ask<T>(call: () => T | PromiseLike<T>, options?: AskOptions<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const question = new Question(this, resolve, reject, options);
      if (this.#open >= MOST_OPEN) return question.fail(new NoAnswerError(`${MOST_OPEN} calls have no answer yet.`));
      this.#open++;
      this.#options.deadlines.add(question);
      guarded(call).then(
        (answer) => question.answer(answer),
        (cause) => question.fail(cause),
      );
    });
  }

  /** Asks what answers at once. @throws What `refuse` makes of a failure. */
  call<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      throw this.#options.refuse(cause);
    }
  }

  /** The question has its answer, or is given up. */
  close(question: Deadline): void {
    if (!question.after) return;
    this.#open--;
    this.#options.deadlines.remove(question);
  }

  refuse(cause: unknown): unknown {
    return this.#options.refuse(cause);
  }
}

class Question<T> implements Deadline {
  readonly dueMs: number;
  before: Deadline | undefined = undefined;
  after: Deadline | undefined = undefined;
  readonly #asker: Asker;
  readonly #options: AskOptions<T> | undefined;
  /** Gone once the question is closed, so that a late one holds on to nobody who waited. */
  #resolve: ((answer: T) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(
    asker: Asker,
    resolve: (answer: T) => void,
    reject: (error: unknown) => void,
    options: AskOptions<T> | undefined,
  ) {
    this.#asker = asker;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#options = options;
    this.dueMs = performance.now() + asker.timeoutMs;
  }

  answer(answer: T): void {
    const resolve = this.#resolve;
    if (this.#options?.isAnswer?.(answer) === false) this.fail(new TypeError('The answer makes no sense.'));
    else if (!resolve) this.#options?.late?.(answer);
    else {
      this.#close();
      resolve(answer);
    }
  }

  fail(cause: unknown): void {
    const reject = this.#reject;
    if (!reject) return;
    this.#close();
    reject(this.#asker.refuse(cause));
  }

  /** The time is over. */
  reach(): void {
    this.fail(new NoAnswerError(`There was no answer within ${this.#asker.timeoutMs} ms.`));
  }

  #close(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
    this.#asker.close(this);
  }
}
