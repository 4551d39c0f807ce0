import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Sample, SECRET } from './fixtures.ts';
import type { Line } from './report.ts';

const REDELIVER_MS = 50;

/** What is changed of a delivery on its way. */
export interface Changed {
  readonly body?: string;
  readonly signature?: string;
  readonly url?: string;
}

/** The sender, as Pathfinder is one: it delivers an event again until it is acknowledged. */
export class Pathfinder {
  /** Ids of the events of which a reply said 2xx. None of these may be lost. */
  readonly acknowledged = new Set<string>();
  /** Deliveries without a reply. */
  unanswered = 0;
  readonly #url: () => string;

  /** @param url - Where the receiver is at the moment. */
  constructor(url: () => string) {
    this.#url = url;
  }

  /** Delivers an event once; the line of the report that shows the reply. */
  async deliver(what: string, expected: string, sample: Sample, changed: Changed = {}): Promise<Line> {
    const startedAtMs = performance.now();
    const got = await this.#post(sample, changed);
    return { what, expected, got, ms: performance.now() - startedAtMs };
  }

  /** Delivers an event until it is acknowledged. */
  async deliverUntilAcknowledged(sample: Sample): Promise<void> {
    while (!this.acknowledged.has(sample.id)) {
      const reply = await this.#post(sample, {}).catch(() => undefined);
      if (reply !== undefined) continue;
      this.unanswered++;
      await delay(REDELIVER_MS);
    }
  }

  async #post(sample: Sample, changed: Changed): Promise<string> {
    const { body = JSON.stringify(sample), signature = sign(body), url = this.#url() } = changed;
    const headers = { 'content-type': 'application/json', 'x-pathfinder-signature': signature };
    const response = await fetch(url, { method: 'POST', headers, body });
    const reply = wordOf(await response.text());
    if (response.ok) this.acknowledged.add(sample.id);
    return `${response.status} ${reply}`;
  }
}

function wordOf(body: string): string {
  try {
    const { status, error } = JSON.parse(body);
    return status ?? error;
  } catch {
    return 'without JSON';
  }
}

/** As Pathfinder signs, with nothing of this package. */
export function sign(body: string, secret = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
