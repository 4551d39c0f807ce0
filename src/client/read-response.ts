import { RetryAfterError } from '../index.ts';
import { codeOfStatus, PathfinderApiError, type PathfinderApiErrorCode } from './errors.ts';

const MOST_QUOTED = 200;

/** What reading an answer needs to know. @internal */
export interface ReadOptions {
  readonly maxResponseBytes: number;
  readonly now: () => number;
  /** The number of this request, from 1. */
  readonly attempt: number;
  /** Must not show in an error, even when the API sends it back. */
  readonly confidential: readonly string[];
}

/**
 * The JSON of a 2xx answer; `undefined` for an empty one.
 *
 * @throws PathfinderApiError for any other status, a redirect, `{ success: false }`, what is too long and what is no JSON.
 * @internal
 */
export async function readResponse(response: Response, options: ReadOptions): Promise<unknown> {
  const isRedirect = response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400);
  if (isRedirect) {
    await response.body?.cancel();
    throw failure('api_redirected', response, options);
  }
  const text = await readText(response, options.maxResponseBytes);
  const value = text === undefined ? undefined : parse(text);
  if (!response.ok) throw failure(codeOfStatus(response.status), response, options, reasonIn(value));
  if (text === undefined) throw failure('api_response_too_large', response, options);
  if (text.trim() === '') return undefined;
  if (value === undefined) throw failure('api_invalid_response', response, options, 'It is not JSON.');
  if (isRecord(value) && value.success === false) throw failure('api_rejected', response, options, reasonIn(value));
  return value;
}

/** An error about this answer. @internal */
export function failure(
  code: PathfinderApiErrorCode,
  response: Response,
  { now, attempt, confidential }: ReadOptions,
  detail?: string,
): PathfinderApiError {
  return new PathfinderApiError(code, {
    detail: detail === undefined ? undefined : harmless(detail, confidential),
    // A browser hides the status of a redirect.
    status: response.status || undefined,
    requestId: requestIdOf(response, confidential),
    retryAfter: retryAfterOf(response, now),
    attempts: attempt,
  });
}

// The text is undefined when it is longer than the limit: bytes are counted while reading, whatever Content-Length says.
async function readText(response: Response, maxBytes: number): Promise<string | undefined> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let text = '';
  let bytes = 0;
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > maxBytes) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonIn(value: unknown): string | undefined {
  if (!isRecord(value)) return undefined;
  const { error, message } = value;
  const reason = isRecord(error) ? (error.message ?? error.code) : (error ?? message);
  return typeof reason === 'string' && reason ? `It said: ${reason}` : undefined;
}

function requestIdOf({ headers }: Response, confidential: readonly string[]): string | undefined {
  const id = headers.get('x-request-id') ?? headers.get('request-id');
  return id ? harmless(id, confidential) : undefined;
}

function retryAfterOf({ headers }: Response, now: () => number): number | undefined {
  const header = headers.get('retry-after');
  if (header === null) return undefined;
  try {
    return new RetryAfterError('', header, { now }).retryAfterMs / 1000;
  } catch {
    // A header that is neither seconds nor a date is as if it were not there.
    return undefined;
  }
}

// The text becomes one line without terminal escapes, and without what the API should not have sent back.
function harmless(text: string, confidential: readonly string[]): string {
  let shown = text;
  for (const secret of confidential) shown = shown.replaceAll(secret, '[redacted]');
  shown = shown.replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return shown.length > MOST_QUOTED ? `${shown.slice(0, MOST_QUOTED)}…` : shown;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
