import { retry } from '../index.ts';
import { isPathfinderApiError, PathfinderApiError } from './errors.ts';
import type { ClientSettings } from './options.ts';
import { failure, type ReadOptions, readResponse } from './read-response.ts';

/** One call of the API. @internal */
export interface ApiCall<T> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** What follows `/api/webhooks`, encoded. */
  readonly path: string;
  readonly body?: object;
  /** Texts of the body that must not show in an error. */
  readonly confidential?: readonly string[];
  /** Takes what it needs from the answer; what it throws says, for the developer, why it cannot. */
  readonly read: (answer: unknown) => T;
  readonly signal: AbortSignal | undefined;
}

/** Makes a call: with a deadline, without redirects, and again where that is safe. @internal */
export type Transport = <T>(call: ApiCall<T>) => Promise<T>;

/** Why an answer cannot be read: no word of the answer itself. @internal */
export class UnreadableAnswer extends Error {}

const RETRIED_STATUS: ReadonlySet<number | undefined> = new Set([429, 502, 503, 504]);

/** @internal */
export function createTransport(settings: ClientSettings): Transport {
  return async (call) => {
    call.signal?.throwIfAborted();
    const deadline = new AbortController();
    const expires = performance.now() + settings.timeoutMs;
    let attempts = 0;
    const timer = setTimeout(() => {
      deadline.abort(new PathfinderApiError('api_timeout', { attempts }));
    }, settings.timeoutMs);
    const signal = call.signal ? AbortSignal.any([deadline.signal, call.signal]) : deadline.signal;
    const work = (attempt: number) => {
      attempts = attempt;
      return attemptOnce(call, attempt, signal, settings);
    };
    try {
      // The call races its deadline, since an injected fetch need not heed the signal.
      return await Promise.race([retry(work, retryOptions(call, settings, signal, expires)), rejectOn(signal)]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function retryOptions(call: ApiCall<unknown>, settings: ClientSettings, signal: AbortSignal, expires: number) {
  const { attempts, baseMs, capMs, maxRetryAfterMs } = settings.retry;
  return {
    // A POST may have been carried out although its answer was lost.
    attempts: call.method === 'POST' ? 1 : attempts,
    baseMs,
    capMs,
    signal,
    random: settings.random,
    now: settings.now,
    sleep: settings.sleep,
    retryIf: (error: unknown) => isWorthAnother(error) && (error.retryAfter ?? 0) * 1000 <= maxRetryAfterMs,
    onRetry(error: unknown, _attempt: number, delayMs: number) {
      // The failure that was to be retried says more than that the time ran out in a wait.
      if (performance.now() + delayMs >= expires) throw error;
    },
  };
}

function isWorthAnother(error: unknown): error is PathfinderApiError {
  return isPathfinderApiError(error) && (error.code === 'api_unreachable' || RETRIED_STATUS.has(error.status));
}

async function attemptOnce<T>(
  { method, path, body, confidential = [], read }: ApiCall<T>,
  attempt: number,
  signal: AbortSignal,
  settings: ClientSettings,
): Promise<T> {
  const { token, baseUrl, maxResponseBytes, now } = settings;
  const options: ReadOptions = { maxResponseBytes, now, attempt, confidential: [token, ...confidential] };
  const init: RequestInit = {
    method,
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      ...(body && { 'content-type': 'application/json' }),
    },
    redirect: 'manual',
    signal,
    ...(body && { body: JSON.stringify(body) }),
  };
  let response: Response | undefined;
  try {
    response = await settings.fetch(`${baseUrl}/api/webhooks${path}`, init);
    return read(await readResponse(response, options));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (isPathfinderApiError(error)) throw error;
    if (response && error instanceof UnreadableAnswer) {
      throw failure('api_invalid_response', response, options, error.message);
    }
    // The error is not passed on as the cause: what an injected fetch throws may hold the request with its token.
    throw new PathfinderApiError('api_unreachable', { detail: networkCode(error), attempts: attempt });
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

// The code of the cause, such as ECONNREFUSED or CERT_HAS_EXPIRED; only what cannot be anything but a code.
function networkCode(error: unknown): string | undefined {
  let at = error;
  for (let depth = 0; depth < 4 && typeof at === 'object' && at !== null; depth++) {
    const { code, cause } = at as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return `(${code})`;
    at = cause;
  }
  return undefined;
}
