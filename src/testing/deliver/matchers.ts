import { SIGNATURE_HEADER } from '../../delivery.ts';
import { WEBHOOK_ERROR_CODES, type WebhookErrorCode } from '../../errors.ts';
import { nearestName } from '../../shared/nearest.ts';
import type { DeliveryResult } from './deliver.ts';

const SIGNATURE_CODES: readonly string[] = ['missing_signature', 'malformed_signature', 'signature_mismatch'];
const MOST_QUOTED = 200;

/** Why a delivery can be refused, as replies tell it or, for signatures, more exactly. */
export type RefusalCode = WebhookErrorCode | 'invalid_signature';

/**
 * The matchers as types. For vitest `declare module 'vitest' { interface Matchers<T> extends WebhookMatchers<T> {} }`; for
 * jest see docs/testing.md.
 */
export interface WebhookMatchers<R = unknown> {
  /** The delivery was answered 2xx. */
  toBeAccepted(): R;
  /**
   * The delivery was refused: with a code, for that reason. The three reasons of a 401 have one reply, so they are told apart by the
   * signature that was sent.
   */
  toBeRefused(code?: RefusalCode): R;
  /** A handler of this name has run for the event since it was delivered, and succeeded; with `times`, so often. */
  toHaveRun(handlerName: string, times?: number): R;
}

/** A matcher's verdict, as its runner takes it. */
export interface MatcherResult {
  readonly pass: boolean;
  /** Why, if it is not what was expected. */
  message(): string;
}

/** Matchers for what `deliver` returns: `expect.extend(webhookMatchers)`, in vitest and in jest. Their types: {@link WebhookMatchers}. */
export const webhookMatchers = {
  /** See {@link WebhookMatchers.toBeAccepted}. */
  toBeAccepted(received: unknown): MatcherResult {
    const result = checkResult(received);
    const pass = result.status >= 200 && result.status < 300;
    return {
      pass,
      message: () => `expected the delivery ${pass ? 'not ' : ''}to be accepted, and it ${answered(result)}`,
    };
  },

  /** See {@link WebhookMatchers.toBeRefused}. */
  toBeRefused(received: unknown, code?: RefusalCode): MatcherResult {
    const result = checkResult(received);
    if (code !== undefined) checkCode(code);
    const refused = result.status < 200 || result.status >= 300;
    const pass = refused && (code === undefined || codesOf(result).includes(code));
    const reason = code === undefined ? '' : ` with ${code}`;
    return {
      pass,
      message: () => `expected the delivery ${pass ? 'not ' : ''}to be refused${reason}, and it ${answered(result)}`,
    };
  },

  /** See {@link WebhookMatchers.toHaveRun}. */
  toHaveRun(received: unknown, handlerName: string, times?: number): MatcherResult {
    const { runs } = checkResult(received);
    const count = runs.filter((run) => run.succeeded && run.handlerName === handlerName).length;
    const pass = times === undefined ? count > 0 : count === times;
    const often = times === undefined ? '' : ` ${times} time${times === 1 ? '' : 's'}`;
    const ran = runs.map((run) => `${run.handlerName}${run.succeeded ? '' : ' (failed)'}`).join(', ') || 'none';
    return {
      pass,
      message: () => `expected the handler ${handlerName} ${pass ? 'not ' : ''}to have run${often}; these have: ${ran}`,
    };
  },
};

function checkResult(received: unknown): DeliveryResult {
  const { status, request, runs } = (Object(received) ?? {}) as Partial<DeliveryResult>;
  if (typeof status === 'number' && request && runs) return received as DeliveryResult;
  throw new TypeError('Pass expect what deliver has returned: expect(await deliver(target, request)).');
}

function checkCode(code: string): void {
  const known = [...WEBHOOK_ERROR_CODES, 'invalid_signature'];
  if (known.includes(code)) return;
  const nearest = nearestName(code, known);
  throw new TypeError(`There is no code ${JSON.stringify(code)}.${nearest ? ` Did you mean ${nearest}?` : ''}`);
}

/** The codes that a reply stands for: the one in it, and of a refused signature the exact one too. */
function codesOf({ json, status, request }: DeliveryResult): readonly string[] {
  const { error, status: outcome } = Object(json) as { error?: unknown; status?: unknown };
  if (status === 500 && outcome === 'failed') return ['handler_failed'];
  if (error !== 'invalid_signature') return [String(error)];
  return ['invalid_signature', signatureCode(request.headers[SIGNATURE_HEADER])];
}

function signatureCode(header: string | undefined): string {
  const [missing, malformed, mismatch] = SIGNATURE_CODES as [string, string, string];
  if (header === undefined) return missing;
  return /^sha256=[0-9a-f]{64}$/.test(header) ? mismatch : malformed;
}

function answered({ status, text }: DeliveryResult): string {
  return `was answered ${status}${text ? ` ${text.slice(0, MOST_QUOTED)}` : ''}`;
}
