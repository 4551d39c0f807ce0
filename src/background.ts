import type { WebhookDeliveryHead } from './delivery.ts';
import type { WebhookLogger } from './report/logger.ts';
import { unheeded } from './shared/guard.ts';
import type { WebhookStore } from './store.ts';

const SWEEP_EVERY_EVENTS = 1000;
const SWEEP_ROWS = 1000;

type WaitUntil = (work: Promise<unknown>) => void;

export interface BackgroundOptions {
  readonly store: Pick<WebhookStore, 'sweep'>;
  readonly logger: WebhookLogger;
  /** The integrator's own, for platforms that have one for all requests. */
  readonly waitUntil: WaitUntil | undefined;
  /** Works off the queue for a while; `undefined` when workers do so anyway. */
  drain(): Promise<unknown> | undefined;
}

/** Work behind a reply: only what may be lost, since a platform may end it at any moment. */
export class Background {
  readonly #options: BackgroundOptions;
  /** What still runs, for `stop`. */
  readonly #running = new Set<Promise<unknown>>();
  #eventsUntilSweep = SWEEP_EVERY_EVENTS;

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  /** Hands work to the platform, where that waits for it; logs its failure. Never throws. */
  run(work: Promise<unknown>, head?: WebhookDeliveryHead): void {
    const failed = (err: unknown) => this.#options.logger.error({ err }, 'Work behind a webhook reply failed');
    const safe = work.catch(failed).finally(() => this.#running.delete(safe));
    this.#running.add(safe);
    unheeded(() => this.#waitUntil(head)?.(safe), failed);
  }

  /** Waits until nothing runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** An event was queued: works it off, where the platform waits for that and no workers run. */
  drainQueue(head: WebhookDeliveryHead): void {
    if (!this.#waitUntil(head)) return;
    const draining = this.#options.drain();
    if (draining) this.run(draining, head);
  }

  /** Counts an event; every thousandth deletes what the store no longer has to remember. */
  sweepStore(head: WebhookDeliveryHead): void {
    if (--this.#eventsUntilSweep > 0) return;
    this.#eventsUntilSweep = SWEEP_EVERY_EVENTS;
    this.run(this.#options.store.sweep(SWEEP_ROWS), head);
  }

  // The request's own comes first. Called as a method of the head, which may need its `this`.
  #waitUntil(head: WebhookDeliveryHead | undefined): WaitUntil | undefined {
    return head?.waitUntil ? (work) => head.waitUntil?.(work) : this.#options.waitUntil;
  }
}
