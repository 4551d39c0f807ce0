import { WebhookError } from '../errors.ts';
import type { HandlerFailure } from '../outcome.ts';
import { logAboutEvent } from '../report/logger.ts';
import { sleep, within } from '../shared/time.ts';
import { type AcquiredClaim, Checkpoints } from './checkpoints.ts';
import type { Core, Job } from './core.ts';
import type { Deadline } from './deadlines.ts';
import { guardListeners } from './guarded-signal.ts';
import type { Registration } from './handler-types.ts';
import { Lease } from './lease.ts';
import { Steps } from './steps.ts';

/** How a handler ended. */
export type HandlerResult =
  | { readonly status: 'succeeded'; readonly registration: Registration; readonly runs: number }
  | {
      readonly status: 'failed';
      readonly registration: Registration;
      readonly runs: number;
      readonly error: unknown;
      /** The deadline passed; the handler may still be running. */
      readonly timedOut?: boolean;
    }
  /** Another event holds the handler's lane. */
  | { readonly status: 'waiting'; readonly registration: Registration; readonly runs: 0; readonly inMs: number };

/** A claimed event at work: what its handlers share, and which of them are still running. */
export class Execution {
  readonly core: Core;
  readonly job: Job;
  readonly claim: AcquiredClaim;
  readonly lease: Lease;
  readonly checkpoints: Checkpoints;
  readonly #startedAtMs: number;
  readonly #runs: HandlerRun[] = [];
  readonly #ended: HandlerFailure[] = [];
  /** Handlers that have not succeeded yet, in this claim. */
  #unsuccessful = 0;
  /** Handlers that neither ended nor reached their deadline. */
  #open = 0;
  #wake: (() => void) | undefined;

  /** @param startedAtMs - When the claim was asked for, on the monotonic clock. */
  constructor(core: Core, job: Job, claim: AcquiredClaim, startedAtMs: number) {
    this.core = core;
    this.job = job;
    this.claim = claim;
    this.#startedAtMs = startedAtMs;
    const held = { key: job.key, token: claim.token, claimedAtMs: startedAtMs };
    this.lease = new Lease(core, held, (error) => this.stop(error));
    this.checkpoints = new Checkpoints(core.store, this.lease, claim);
  }

  /** Starts those of the handlers that have neither succeeded nor failed for good in an earlier claim. `work` never rejects. */
  start(registrations: readonly Registration[], work: (run: HandlerRun) => Promise<HandlerResult>): void {
    for (const registration of registrations) {
      if (this.checkpoints.isDone(registration)) continue;
      const ended = this.core.policy.mayDie ? this.checkpoints.errorOfEnded(registration) : undefined;
      if (ended !== undefined) {
        const error = Object.assign(new Error(ended), { name: 'Earlier failure' });
        this.#ended.push({ handlerName: registration.name, error });
        continue;
      }
      this.#runs.push(new HandlerRun(this, registration, this.#startedAtMs));
    }
    // Handlers are counted before the first one starts, since it may end at once.
    this.#unsuccessful = this.#runs.length;
    this.#open = this.#runs.length;
    for (const run of this.#runs) run.start(work);
  }

  /** Tells all handlers to stop. */
  stop(reason: unknown): void {
    for (const run of this.#runs) run.stop(reason);
  }

  /** Resolves when the last open handler has ended or reached its deadline. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Whether a handler has yet to end or to reach its deadline. */
  get open(): boolean {
    return this.#open > 0;
  }

  /** A handler ended or reached its deadline. */
  countClosed(): void {
    if (--this.#open === 0) this.#wake?.();
  }

  /** A handler succeeded. */
  countSuccess(): void {
    this.#unsuccessful--;
  }

  /** Whether all handlers have succeeded, so that the event is about to be completed. */
  get succeeded(): boolean {
    return this.#unsuccessful === 0 && this.#ended.length === 0;
  }

  /** The handlers that failed for good in an earlier claim. */
  get ended(): readonly HandlerFailure[] {
    return this.#ended;
  }

  /** The handlers that have not ended, late ones included. */
  get unended(): readonly Registration[] {
    return this.#runs.filter((run) => !run.ended).map((run) => run.registration);
  }

  /** How each handler that has closed ended. */
  results(): readonly HandlerResult[] {
    const results: HandlerResult[] = [];
    for (const { result } of this.#runs) if (result) results.push(result);
    return results;
  }

  /** The same, once the handlers that outlive their deadline have settled; those that outlive the lease are not waited for. */
  async settledResults(): Promise<readonly HandlerResult[]> {
    const leftMs = this.lease.endMs - performance.now();
    await Promise.all(this.#runs.map((run) => run.settle(leftMs)));
    return this.results();
  }

  /** Logs what went wrong and tells `onError`. */
  report(error: unknown, fields: object = {}): void {
    this.core.report(error, this.job.event, fields);
  }
}

/** A handler at work on an event, over all its attempts within this claim, with its deadline. */
export class HandlerRun implements Deadline {
  readonly execution: Execution;
  readonly registration: Registration;
  readonly dueMs: number;
  before: Deadline | undefined = undefined;
  after: Deadline | undefined = undefined;
  /** The lane that the handler runs in. */
  lane: Lease | undefined;
  /** Made when the handler first asks for its signal, which most do not. */
  #controller: AbortController | undefined;
  #stopReason: unknown;
  #steps: Steps | undefined;
  #result: HandlerResult | undefined;
  #ended = false;
  #settled: Promise<HandlerResult> | undefined;

  constructor(execution: Execution, registration: Registration, startedAtMs: number) {
    this.execution = execution;
    this.registration = registration;
    this.dueMs = startedAtMs + (registration.options.timeoutMs ?? execution.core.handlerTimeoutMs);
  }

  /** @param work - Runs the handler, calls `end`, and never rejects. */
  start(work: (run: HandlerRun) => Promise<HandlerResult>): void {
    this.execution.core.deadlines.add(this);
    this.#settled = work(this);
  }

  /** The handler itself has ended, in time or late. */
  end(result: HandlerResult): HandlerResult {
    this.execution.core.deadlines.remove(this);
    this.#ended = true;
    this.#close(result);
    return result;
  }

  /** Whether the handler itself has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The deadline has passed. */
  reach(): void {
    const { registration } = this;
    const error = new WebhookError('handler_timeout');
    // Like that of the event, the lease of the lane is not extended any longer: a handler that hangs must not keep it.
    this.lane?.stop();
    this.stop(error);
    this.execution.report(error, { handler: registration.id });
    this.#close({ status: 'failed', registration, runs: 1, error, timedOut: true });
  }

  /** Aborts the handler's signal; it is not run again within this claim. */
  stop(reason: unknown): void {
    this.#stopReason ??= reason;
    this.#controller?.abort(this.#stopReason);
  }

  get stopped(): boolean {
    return this.#stopReason !== undefined;
  }

  /** The signal of all attempts. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      guardListeners(this.#controller.signal, (err) => this.#noteListener(err));
      if (this.stopped) this.#controller.abort(this.#stopReason);
    }
    return this.#controller.signal;
  }

  /** What `once` has done, over all attempts. */
  get steps(): Steps {
    this.#steps ??= new Steps(this.execution.checkpoints, this.registration);
    return this.#steps;
  }

  /** Waits, and tells whether the handler may go on: not when it is told to stop meanwhile. */
  async wait(ms: number): Promise<boolean> {
    return sleep(ms, this.signal).then(
      () => true,
      () => false,
    );
  }

  /** How the handler ended, or that its deadline passed, whichever came first. */
  get result(): HandlerResult | undefined {
    return this.#result;
  }

  /** Waits for the handler itself, at most so long: how it really ended replaces that its deadline passed. */
  async settle(mostMs: number): Promise<void> {
    if (this.#settled) this.#result = await within(mostMs, this.#settled, () => this.#result);
  }

  #noteListener(err: unknown): void {
    const { core, job } = this.execution;
    const fields = { err, handler: this.registration.id };
    logAboutEvent(core.logger, 'error', job.event, fields, 'A listener of context.signal failed');
  }

  // The first result counts: a handler that settles after its deadline does not undo that it was late.
  #close(result: HandlerResult): void {
    if (this.#result) return;
    this.#result = result;
    this.execution.countClosed();
  }
}
