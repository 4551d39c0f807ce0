import { WebhookError } from '../errors.ts';
import type { HandlerFailure } from '../outcome.ts';
import { publishHandlerEnded } from '../report/channels.ts';
import { logAboutEvent } from '../report/logger.ts';
import { sleep, within } from '../shared/time.ts';
import type { AcquiredClaim } from '../store.ts';
import { Checkpoints } from './checkpoints.ts';
import type { Core, Job } from './core.ts';
import type { Deadline } from './deadlines.ts';
import type { HandlerResult, Registration } from './handler-types.ts';
import { Lease } from './lease.ts';
import { LentSlot } from './lent-slot.ts';
import { Steps } from './steps.ts';
import { StopSignal } from './stop-signal.ts';

/** A claimed event at work: what its handlers share, and which of them are still running. */
export class Execution {
  readonly core: Core;
  readonly job: Job;
  readonly claim: AcquiredClaim;
  readonly lease: Lease;
  readonly checkpoints: Checkpoints;
  readonly #slot: LentSlot;
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
    this.#slot = new LentSlot(job.slot);
    const held = { key: job.key, token: claim.token, claimedAtMs: startedAtMs };
    this.lease = new Lease(core, held, (error) => this.stop(error));
    this.checkpoints = new Checkpoints(core.store, this.lease, claim);
  }

  /** Starts those of the handlers that have neither succeeded nor failed for good in an earlier claim. `work` never rejects. */
  start(registrations: readonly Registration[], work: (run: HandlerRun) => Promise<HandlerResult>): void {
    for (const registration of registrations) {
      if (this.checkpoints.isDone(registration)) continue;
      const error = this.core.policy.mayDie ? this.checkpoints.errorOfEnded(registration) : undefined;
      if (error) this.#ended.push({ handlerName: registration.name, error });
      else this.#runs.push(new HandlerRun(this, registration, this.#startedAtMs));
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
    else this.#slot.look(this.#open);
  }

  /** A handler waits for its lane. */
  lendSlot<T>(waiting: Promise<T>): Promise<T> {
    return this.#slot.lendFor(waiting, () => this.#open);
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
    await Promise.all(this.#runs.map((run) => run.settle(this.lease.endMs - performance.now())));
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
  dueMs: number;
  before: Deadline | undefined = undefined;
  after: Deadline | undefined = undefined;
  /** The lane that the handler runs in: its lease is not extended any longer when it is stopped. */
  lane: { stop(): void } | undefined;
  /** Told at the deadline: whoever observes the attempt that runs. */
  whenLate: ((error: unknown) => void) | undefined;
  readonly #stop = new StopSignal((err) => this.#noteListener(err));
  #steps: Steps | undefined;
  #result: HandlerResult | undefined;
  #ended = false;
  #settled: Promise<HandlerResult> | undefined;

  constructor(execution: Execution, registration: Registration, startedAtMs: number) {
    this.execution = execution;
    this.registration = registration;
    this.dueMs = startedAtMs + this.#timeoutMs;
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
    publishHandlerEnded(this.execution.job, this.registration.name, result);
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
    this.whenLate?.(error);
    this.#close({ status: 'failed', registration, runs: 1, error, timedOut: true });
  }

  /** Aborts the handler's signal; it is not run again within this claim. */
  stop(reason: unknown): void {
    this.#stop.abort(reason);
  }

  get stopped(): boolean {
    return this.#stop.aborted;
  }

  /** The signal of all attempts. */
  get signal(): AbortSignal {
    return this.#stop.signal;
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

  /**
   * Waits for something that is no part of the handler's own time: in a worker its deadline begins anew afterwards, and its
   * slot is lent. A request has its deadline for both.
   *
   * @param wait - What it waits for, at most so many milliseconds.
   */
  async waitAside<T>(wait: (mostMs: number) => Promise<T>): Promise<T> {
    const { deadlines, policy } = this.execution.core;
    if (policy.retriesHere) return wait(this.dueMs - performance.now());
    deadlines.remove(this);
    try {
      return await this.execution.lendSlot(wait(Number.POSITIVE_INFINITY));
    } finally {
      this.dueMs = performance.now() + this.#timeoutMs;
      deadlines.add(this);
    }
  }

  get #timeoutMs(): number {
    return this.registration.options.timeoutMs ?? this.execution.core.handlerTimeoutMs;
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
