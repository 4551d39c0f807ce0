import { exchange, type Incoming } from '../../support/exchange.ts';
import { CliError } from '../../support/failure.ts';
import { lookupLoopback } from '../../support/target.ts';
import { keptHeaders } from './headers.ts';

/** The app that deliveries are sent on to, and how. */
export interface Forwarding {
  readonly url: URL;
  readonly allowRemote: boolean;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The app's reply, or why there is none. */
export type Forwarded = { readonly reply: Incoming } | { readonly error: CliError };

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Sends deliveries on byte for byte, in the order in which they came unless several may be under way. */
export function createForwarder({ url, allowRemote, concurrency, timeoutMs, signal }: Forwarding) {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function takeTurn(): Promise<void> {
    if (running < concurrency) {
      running++;
      return;
    }
    // Whoever ends passes the place on.
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
    });
  }

  function endTurn(): void {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }

  return async (body: Buffer, headers: Headers): Promise<Forwarded> => {
    await takeTurn();
    try {
      const lookup = allowRemote ? undefined : lookupLoopback;
      const reply = await exchange(url, { headers: keptHeaders(headers), body }, { timeoutMs, signal, lookup });
      if (reply.status >= 300 && reply.status < 400) return { error: redirected(reply.status) };
      return { reply };
    } catch (error) {
      if (error instanceof CliError) return { error };
      throw error;
    } finally {
      endTurn();
    }
  };
}

function redirected(status: number): CliError {
  const fix = 'Exempt the route from what redirects it, or give --forward-to the final URL.';
  return new CliError('no', 'redirected', `The app answered ${status}: a redirect, which is not followed.`, fix);
}
