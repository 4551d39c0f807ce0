import { checkNames, duration } from '../../shared/check.ts';
import type { DeliveryRequest } from '../fixtures/delivery-request.ts';
import { type HandlerRunRecord, markRuns, runsSince } from './runs.ts';
import { type DeliveryTarget, type FunctionKind, reach } from './target.ts';

/** Options of {@link deliver}. */
export interface DeliverOptions {
  /**
   * What a function with several parameters is: a `fetch` handler, or a listener of `node:http`. Default: an async function or one
   * with a single parameter is a fetch handler, anything else a listener.
   */
  readonly as?: FunctionKind | undefined;
  /** Milliseconds until the reply of a listener has to be there. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** A receiver's answer to a delivery, and what it ran. */
export interface DeliveryResult {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body, if it is JSON. */
  readonly json: unknown;
  /** The delivery itself. */
  readonly request: DeliveryRequest;
  /**
   * The handlers that have run for this event since it was delivered, in this process: with a queue it grows as workers run them, so
   * look after `drain`.
   */
  readonly runs: readonly HandlerRunRecord[];
}

/**
 * Hands a delivery to a receiver in this process, and returns what it answered: no port, no server to start and stop. A listener of
 * `node:http` and an Express app get it over a socket that lasts as long as the call.
 *
 * @param target - A `WebhookHandler`, a fetch handler, a Hono or Fastify app, an Express app, a listener or a server of `node:http`.
 * @param request - What `signedRequest` or `loadFixture` returned.
 * @throws TypeError for what is no target; what the target throws; an error when a listener gives no reply in time.
 *
 * @example
 * ```ts
 * expect(await deliver(app, signedRequest('user.created', { secret }))).toBeAccepted();
 * ```
 */
export async function deliver(
  target: DeliveryTarget,
  request: DeliveryRequest,
  options: DeliverOptions = {},
): Promise<DeliveryResult> {
  checkNames('deliver', options, { as: true, timeoutMs: true });
  const mark = markRuns();
  const eventId = idIn(request.body);
  const timeoutMs = duration('timeoutMs', options.timeoutMs ?? 10_000);
  const { status, headers, body } = await reach(target, request, { as: options.as, timeoutMs });
  return {
    status,
    headers,
    text: body,
    json: parsed(body),
    request,
    get runs() {
      return runsSince(mark, eventId);
    },
  };
}

function idIn(body: Uint8Array): string | undefined {
  const { id } = Object(parsed(Buffer.from(body).toString('utf8'))) as { id?: unknown };
  return typeof id === 'string' ? id : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
