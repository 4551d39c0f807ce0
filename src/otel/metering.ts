import { type Attributes, createNoopMeter, type MeterProvider, metrics } from '@opentelemetry/api';
import type { QueueStats } from '../index.ts';
import { createInstruments, type Instruments, observeInbox } from './instruments.ts';

type Stats = () => Promise<QueueStats>;

/** The instruments of the provider that is registered now: the global one of metrics may come after the first event. */
export class Metering {
  readonly #scope: string;
  readonly #given: MeterProvider | undefined;
  readonly #common: Attributes;
  /** The queues that are observed, and how each observation is ended. */
  readonly #inboxes = new Map<Stats, () => void>();
  #provider: MeterProvider | undefined;
  #instruments: Instruments | undefined;
  #isReal = false;

  constructor(scope: string, provider: MeterProvider | undefined, common: Attributes) {
    this.#scope = scope;
    this.#given = provider;
    this.#common = common;
  }

  /** Whether anybody counts: without an SDK nobody does. */
  get isEnabled(): boolean {
    void this.instruments;
    return this.#isReal;
  }

  get instruments(): Instruments {
    const provider = this.#given ?? metrics.getMeterProvider();
    if (this.#instruments && provider === this.#provider) return this.#instruments;
    const meter = provider.getMeter(this.#scope);
    this.#provider = provider;
    this.#isReal = meter !== createNoopMeter();
    this.#instruments = createInstruments(meter);
    for (const [stats, end] of this.#inboxes) {
      end();
      this.#inboxes.set(stats, observeInbox(meter, stats, this.#common));
    }
    return this.#instruments;
  }

  /** Observes what a queue holds. Returns the end of it. */
  observe(stats: Stats): () => void {
    const provider = this.#given ?? metrics.getMeterProvider();
    this.#inboxes.set(stats, observeInbox(provider.getMeter(this.#scope), stats, this.#common));
    return () => {
      this.#inboxes.get(stats)?.();
      this.#inboxes.delete(stats);
    };
  }
}
