import { sleep } from '../../../shared/time.ts';
import type { Context } from '../../support/context.ts';
import { exchange, type Incoming } from '../../support/exchange.ts';
import { CliError } from '../../support/failure.ts';
import type { Outgoing } from './outgoing.ts';

const DEFAULT_TIMEOUT_MS = 10_000;
const MOST_KEPT_BYTES = 4096;

/** A request, and what came of it. */
export interface Sending {
  readonly outgoing: Pick<Outgoing, 'label' | 'id' | 'type'> & { readonly bytes: number };
  readonly reply: Incoming | undefined;
  readonly error: CliError | undefined;
}

export interface DeliverAllOptions {
  readonly url: URL;
  readonly count: number;
  readonly make: (index: number) => Outgoing;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly duplicate?: boolean;
  readonly timeout?: number;
}

/** Sends them all, as many at a time as was asked for. Rejects only when interrupted. */
export async function deliverAll(context: Context, options: DeliverAllOptions): Promise<readonly Sending[]> {
  const { count, make, concurrency = 1, rate = Number.POSITIVE_INFINITY, duplicate } = options;
  const { printer, terminal } = context;
  const times = duplicate ? 2 : 1;
  const sendings: Sending[] = [];
  const startedAtMs = performance.now();
  let next = 0;

  async function work(): Promise<void> {
    while (next < count) {
      const index = next++;
      const waitMs = startedAtMs + (index * 1000) / rate - performance.now();
      if (waitMs > 0) await sleep(waitMs, terminal.signal);
      const outgoing = make(index);
      for (let i = 0; i < times; i++) sendings.push(await deliverOne(context, outgoing, options));
      if (count > 1) printer.progress(`${sendings.length} of ${count * times} sent`);
    }
  }

  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, work));
  printer.progress('');
  return sendings;
}

async function deliverOne(context: Context, outgoing: Outgoing, options: DeliverAllOptions): Promise<Sending> {
  const { url, timeout = DEFAULT_TIMEOUT_MS } = options;
  const { label, id, type, headers, body } = outgoing;
  const sent = { label, id, type, bytes: body.length };
  try {
    const reply = await exchange(url, { headers, body }, { timeoutMs: timeout, signal: context.terminal.signal });
    // Of thousands of replies only the start is kept.
    const kept = options.count > 1 ? Buffer.from(reply.body.subarray(0, MOST_KEPT_BYTES)) : reply.body;
    return { outgoing: sent, reply: { ...reply, body: kept }, error: undefined };
  } catch (error) {
    if (error instanceof CliError) return { outgoing: sent, reply: undefined, error };
    throw error;
  }
}
