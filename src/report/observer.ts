import type { WebhookError } from '../errors.ts';
import type { WebhookResult } from '../outcome.ts';
import { unheeded } from '../shared/guard.ts';
import { isListenedTo, publishEnded, runOnChannel } from './channels.ts';
import type { HandlerTrace, ObservedReceiver, ProcessTrace, ReceiveTrace, WebhookTelemetry } from './telemetry.ts';

/** A trace as the core fills it in. */
export type Noted<T> = { -readonly [K in keyof T]: T[K] };

interface Traces {
  readonly receive: Noted<ReceiveTrace>;
  readonly process: Noted<ProcessTrace>;
  readonly handler: Noted<HandlerTrace>;
}

type Hooks = { readonly [K in keyof Traces]?: (trace: Traces[K], run: () => void) => unknown };

/** Completes a trace: with an error where the work failed. The first call counts. */
export type EndTrace = (error?: unknown) => void;

// All members from the start: objects that grow are slow.
const UNKNOWN: ReceiveTrace = {
  eventId: undefined,
  eventType: undefined,
  tenant: undefined,
  created: undefined,
  receivedAtMs: undefined,
  outcome: undefined,
  failures: undefined,
  error: undefined,
};

/** Tells the diagnostics channels and the integrator's telemetry of work. Costs next to nothing while nobody observes. */
export class Observer {
  readonly #telemetry: WebhookTelemetry | undefined;
  readonly #hooks: Hooks;
  #receiver: ObservedReceiver | undefined;
  #detach: (() => unknown) | undefined;

  constructor(telemetry: WebhookTelemetry | undefined) {
    this.#telemetry = telemetry;
    this.#hooks = telemetry ?? {};
  }

  /** Whether anybody wants to know of this kind of work: else no trace has to be made. */
  sees(kind: keyof Traces): boolean {
    return this.#isEnabled() || isListenedTo(kind);
  }

  #isEnabled(): boolean {
    try {
      return this.#telemetry !== undefined && this.#telemetry.isEnabled?.() !== false;
    } catch {
      return true;
    }
  }

  /** Runs a delivery, with a trace to fill in where it is observed. */
  receive(work: (trace?: Noted<ReceiveTrace>) => Promise<WebhookResult>): Promise<WebhookResult> {
    if (!this.sees('receive')) return work();
    const trace: Noted<ReceiveTrace> = { ...UNKNOWN };
    return this.around('receive', trace, async (end) => {
      try {
        const result = await work(trace);
        trace.outcome = result.status;
        trace.failures = result.failures;
        end();
        return result;
      } catch (error) {
        trace.outcome = 'rejected';
        end(error);
        throw error;
      }
    });
  }

  /**
   * Runs work inside the hook and on the channel of its kind: once and at once, whatever the hook does.
   *
   * @returns What the work returns.
   * @throws What the work throws.
   */
  around<K extends keyof Traces, T>(kind: K, trace: Traces[K], work: (end: EndTrace) => T): T {
    let started = false;
    let ended = false;
    let value: T | undefined;
    let thrown: { readonly error: unknown } | undefined;
    let listener: unknown;
    const end: EndTrace = (error) => {
      if (ended) return;
      ended = true;
      if (error !== undefined) trace.error = error as WebhookError;
      publishEnded(kind, trace);
      tellEnd(listener);
    };
    const run = () => {
      if (started) return;
      started = true;
      try {
        value = runOnChannel(kind, trace, () => work(end));
      } catch (error) {
        thrown = { error };
      }
    };
    unheeded(() => {
      listener = this.#hooks[kind]?.(trace, run);
      return listener;
    });
    // The work may have ended at once, before the hook said whom to tell.
    if (ended) tellEnd(listener);
    run();
    if (thrown) throw thrown.error;
    return value as T;
  }

  /** The trace context that telemetry gives the request that is being received, whatever that is. */
  traceparent(): unknown {
    let traceparent: unknown;
    unheeded(() => {
      traceparent = this.#telemetry?.traceparent?.();
    });
    return traceparent;
  }

  /** Shows the receiver to the telemetry. */
  attach(receiver: ObservedReceiver): void {
    this.#receiver = receiver;
    unheeded(() => {
      const detach: unknown = this.#telemetry?.attach?.(receiver);
      this.#detach = () => typeof detach === 'function' && detach();
    });
  }

  /** The receiver has been stopped. */
  detach(): void {
    const detach = this.#detach;
    this.#detach = undefined;
    if (detach) unheeded(detach);
  }

  /** The receiver works again, if it had been stopped. */
  attachAgain(): void {
    if (this.#receiver && !this.#detach) this.attach(this.#receiver);
  }
}

function tellEnd(listener: unknown): void {
  if (typeof listener === 'function') unheeded(listener as () => unknown);
}
