import type { WebhookReply } from './delivery.ts';
import type { WebhookError } from './errors.ts';
import type { WebhookResult, WebhookResultStatus } from './outcome.ts';

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

const RETRY_AFTER_SECONDS = '5';

const STATUS: Readonly<Record<WebhookResultStatus, number>> = {
  processed: 200,
  duplicate: 200,
  unhandled: 200,
  queued: 202,
  failed: 500,
  in_progress: 503,
};

/** Whether the value is a result, of this or any other copy of the package. */
export function isResult(value: unknown): value is WebhookResult {
  const status = (value as Partial<WebhookResult> | null | undefined)?.status;
  return typeof status === 'string' && Object.hasOwn(STATUS, status);
}

/** The reply to a delivery that was verified. Nothing of the delivery is in it. */
export function replyTo(result: WebhookResult): WebhookReply {
  const { status, processed, failed } = result;
  if (status === 'in_progress') return refusal(STATUS[status], status);
  const body = `{"success":${status !== 'failed'},"status":"${status}","processed":${processed},"failed":${failed}}`;
  return { status: STATUS[status], headers: HEADERS, body };
}

/** The reply to a delivery that was refused. All three kinds of bad signature look the same from outside. */
export function replyToError({ code, status }: Pick<WebhookError, 'code' | 'status'>): WebhookReply {
  return refusal(status, status === 401 ? 'invalid_signature' : code);
}

function refusal(status: number, error: string): WebhookReply {
  const extra = status === 405 ? { allow: 'POST' } : status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {};
  return { status, headers: { ...HEADERS, ...extra }, body: `{"success":false,"error":"${error}"}` };
}
