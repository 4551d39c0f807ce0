import { createHmac } from 'node:crypto';
import { resolve } from 'node:path';
import type { AnyWebhookEvent, WebhookEventType } from '../../../index.ts';
import { sleep } from '../../../shared/time.ts';
import { type SignedEventOptions, type SignedRequest, sampleEvent, signedRequest } from '../../../testing/index.ts';
import { exchange, type Incoming, type Outgoing } from '../../support/exchange.ts';
import { CliError } from '../../support/failure.ts';
import type { Terminal } from '../../support/terminal.ts';
import { FileTail } from './file-tail.ts';
import { restartWith } from './restart.ts';

const PATIENCE_MS = 10_000;
const POLL_MS = 20;

/** A receiver under test, and how it is observed. */
export interface BenchOptions {
  readonly url: URL;
  readonly secret: string;
  readonly timeoutMs: number;
  readonly settleMs: number;
  readonly effects: string | undefined;
  readonly log: string | undefined;
  readonly restart: string | undefined;
  readonly terminal: Terminal;
}

/** The outcome of a request: a reply, or none and why. */
export interface Answer {
  /** 0 without a reply. */
  readonly status: number;
  readonly text: string;
  /** In words: `401`, or `no reply (…)`. */
  readonly said: string;
}

type SampleChanges = Pick<SignedEventOptions, 'id' | 'created' | 'data'>;

/** Exact bytes and their headers. */
export type Delivery = Pick<SignedRequest, 'headers' | 'body'>;

/** Sends a receiver deliveries, and looks at what it does with them. */
export class Bench {
  readonly options: BenchOptions;
  /** Every reply so far, for what must be in none of them. */
  readonly replies: string[] = [];
  /** The right digests of all forgeries, and the digests that were sent. */
  readonly #rightDigests = new Set<string>();
  readonly #sentDigests = new Set<string>();
  readonly #effects: FileTail;
  readonly #log: FileTail;

  /** @throws CliError when there is no such log. */
  constructor(options: BenchOptions) {
    this.options = options;
    const { effects = '', log, terminal } = options;
    this.#effects = new FileTail(resolve(terminal.cwd, effects));
    this.#log = new FileTail(resolve(terminal.cwd, log ?? ''));
    if (log === undefined || this.#log.exists) return;
    throw new CliError(
      'setup',
      'file_unreadable',
      `There is no log ${log}.`,
      'Check the path: a log that is not read tells nothing.',
    );
  }

  /** A signed sample, with other values for some of its fields. */
  sample(type: WebhookEventType, changes: SampleChanges = {}): SignedRequest {
    const { secret, url } = this.options;
    return signedRequest(sampleEvent(type) as AnyWebhookEvent, { ...changes, secret, url });
  }

  /** A delivery of exactly these bytes. */
  signed(body: string | Buffer, secret = this.options.secret): Delivery {
    const bytes = Buffer.from(body);
    return {
      body: bytes,
      headers: { 'content-type': 'application/json', 'x-pathfinder-signature': signatureOf(bytes, secret) },
    };
  }

  /** Sends, and waits for the reply. Never rejects but for Ctrl-C. */
  async send(outgoing: Outgoing): Promise<Answer> {
    const { url, timeoutMs, terminal } = this.options;
    for (const [digest] of JSON.stringify(outgoing.headers).matchAll(/[0-9a-f]{64}/g)) this.#sentDigests.add(digest);
    try {
      return this.#keep(await exchange(url, outgoing, { timeoutMs, signal: terminal.signal }));
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return { status: 0, text: '', said: `no reply (${error.message.replace(/\.$/, '')})` };
    }
  }

  /** Sends what is forged, and remembers its right signature. */
  async forge(outgoing: Outgoing): Promise<Answer> {
    const { secret } = this.options;
    this.#rightDigests.add(signatureOf(outgoing.body ?? Buffer.alloc(0), secret).slice('sha256='.length));
    return this.send(outgoing);
  }

  /** The digests that only the receiver's own computation can have told: those of forgeries, unless they were sent to it. */
  get expectedDigests(): readonly string[] {
    return [...this.#rightDigests].filter((digest) => !this.#sentDigests.has(digest));
  }

  /** Sends again what was answered `try later`, as a sender does, until it is taken or refused. */
  async deliver(delivery: Delivery): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.send(delivery);
      const isLater = [0, 409, 425, 429, 503].includes(answer.status);
      if (!isLater || attempt === 4) return answer;
      await sleep(100 * attempt, this.options.terminal.signal);
    }
  }

  /** Sends, and hangs up after `ms`, without waiting for a reply. */
  async abandon(delivery: Delivery, ms: number): Promise<void> {
    const { url, terminal } = this.options;
    await exchange(url, delivery, { timeoutMs: ms, signal: terminal.signal }).catch((error: unknown) => {
      if (!(error instanceof CliError)) throw error;
    });
  }

  /** Whether it takes a new event within ten seconds. */
  async isAlive(): Promise<boolean> {
    const startedAtMs = performance.now();
    for (;;) {
      const { status } = await this.send(this.sample('auth.login'));
      if (isAccepted(status)) return true;
      if (performance.now() - startedAtMs > PATIENCE_MS) return false;
      await sleep(100, this.options.terminal.signal);
    }
  }

  /** How often it has acted on an event: waits until it has at all, and then whether it does again. */
  async effectsOf(id: string): Promise<number> {
    const [count = 0] = await this.effectsOfAll([id]);
    return count;
  }

  /** How often it has acted on each of some events: waits until it has on all of them, and then whether it does again. */
  async effectsOfAll(ids: readonly string[]): Promise<readonly number[]> {
    const { settleMs, terminal } = this.options;
    const startedAtMs = performance.now();
    while ((await this.countEffects(ids)).includes(0) && performance.now() - startedAtMs < settleMs * 4) {
      await sleep(POLL_MS, terminal.signal);
    }
    await sleep(settleMs, terminal.signal);
    return this.countEffects(ids);
  }

  /** How often it has acted on each of some events so far. */
  async countEffects(ids: readonly string[]): Promise<readonly number[]> {
    const counts = new Map(ids.map((id) => [id, 0]));
    for (const line of (await this.#readEffects()).split('\n')) {
      for (const id of new Set(line.split(/[^\w.:-]+/))) {
        const count = counts.get(id);
        if (count !== undefined) counts.set(id, count + 1);
      }
    }
    return ids.map((id) => counts.get(id) ?? 0);
  }

  async #readEffects(): Promise<string> {
    const { effects = '', terminal } = this.options;
    if (!/^https?:/.test(effects)) return this.#effects.read();
    const { body } = await exchange(
      new URL(effects),
      { method: 'GET', headers: {} },
      { timeoutMs: 5000, signal: terminal.signal },
    );
    return body.toString('utf8');
  }

  /** What the receiver has logged since. */
  readLog(): string {
    return this.#log.read();
  }

  /** Restarts the receiver, and waits until it takes events. @throws CliError when it does not. */
  async restart(): Promise<void> {
    const { restart = '', terminal } = this.options;
    await restartWith(restart, terminal);
    if (await this.isAlive()) return;
    throw new CliError(
      'no',
      'restart_failed',
      'After --restart the receiver takes no events.',
      'Let the command start it again.',
    );
  }

  #keep({ status, body }: Incoming): Answer {
    const text = body.toString('utf8');
    this.replies.push(text);
    return { status, text, said: String(status) };
  }
}

export function isAccepted(status: number): boolean {
  return status >= 200 && status < 300;
}

/** A refusal on purpose. 501 is how a server says that it knows no such method. */
export function isRefused(status: number): boolean {
  return (status >= 300 && status < 500) || status === 501;
}

export function signatureOf(body: Uint8Array, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
