const DOCS = 'https://github.com/pathfinder/webhooks-node/blob/main/docs/errors.md';

/** Code → what is wrong, what to do. */
const ERRORS = {
  api_unauthorized: 'The API refused the token. Check that it is current and belongs to this account.',
  api_forbidden: 'The token may not do this. Use one with the right to manage webhooks.',
  api_not_found: 'The API knows no such webhook, or is not at this base URL. Check the id and `baseUrl`.',
  api_rejected: 'The API refused the request. Check what was sent.',
  api_rate_limited: 'The API has had too many requests. Wait before the next one: `retryAfter` says how long.',
  api_unavailable: 'The API failed or is out of reach behind its gateway. Try again later.',
  api_redirected: 'The API answered with a redirect, which is not followed. Give the final address as `baseUrl`.',
  api_unreachable: 'The API could not be reached. Check `baseUrl`, DNS, TLS and the network.',
  api_timeout: 'The API did not answer within `timeoutMs`. Try again, or raise the option.',
  api_response_too_large: 'The answer is longer than `maxResponseBytes`. Check `baseUrl`, or raise the option.',
  api_invalid_response: 'The answer is not what the documentation shows. Check `baseUrl`, or update this package.',
  api_duplicate_endpoints: 'Several webhooks have this URL. Delete all but one of them, then call `sync` again.',
} as const satisfies Record<string, string>;

/** Every way in which a call of the management API can fail. Closed: a new code is a new minor version. */
export type PathfinderApiErrorCode = keyof typeof ERRORS;

/** All codes, for those who keep a page in step. */
export const PATHFINDER_API_ERROR_CODES = /* @__PURE__ */ Object.keys(ERRORS) as readonly PathfinderApiErrorCode[];

// The brand is shared by every copy of the package, ESM or CJS, where `instanceof` knows only its own.
const BRAND = /* @__PURE__ */ Symbol.for('pathfinder.webhooks.PathfinderApiError');

/** What is known of a failed call. */
export interface PathfinderApiErrorOptions {
  /** What exactly is wrong: no token, no secret. */
  readonly detail?: string | undefined;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly attempts?: number | undefined;
}

/** A call of the management API that failed. Branch on `code`; carries no token, no secret, no request and no answer. */
export class PathfinderApiError extends Error {
  readonly code: PathfinderApiErrorCode;
  /** Of the answer; `undefined` when there was none. */
  readonly status: number | undefined;
  /** What the API calls this request, for its support; `undefined` when it gave no name. */
  readonly requestId: string | undefined;
  /** The wait that the API asked for, in seconds. In a handler of an event, or in `retry`, it decides when to run again. */
  readonly retryAfter: number | undefined;
  /** How many requests were made. */
  readonly attempts: number;

  constructor(code: PathfinderApiErrorCode, options: PathfinderApiErrorOptions = {}) {
    const { detail, status, requestId, retryAfter, attempts = 1 } = options;
    const seen = [status && `status ${status}`, requestId && `request ${requestId}`].filter(Boolean).join(', ');
    super([ERRORS[code], detail, seen && `(${seen})`, `See ${DOCS}#${code}`].filter(Boolean).join(' '));
    this.name = 'PathfinderApiError';
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
    this.attempts = attempts;
  }

  get [BRAND](): true {
    return true;
  }
}

/** Whether `error` is a `PathfinderApiError`, of this or any other copy of the package; with `code`, of that code. */
export function isPathfinderApiError(error: unknown, code?: PathfinderApiErrorCode): error is PathfinderApiError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as PathfinderApiError).code === code;
}

/** The code for the status of an answer that is not 2xx. @internal */
export function codeOfStatus(status: number): PathfinderApiErrorCode {
  const named: Readonly<Record<number, PathfinderApiErrorCode>> = {
    401: 'api_unauthorized',
    403: 'api_forbidden',
    404: 'api_not_found',
    429: 'api_rate_limited',
  };
  return named[status] ?? (status >= 500 ? 'api_unavailable' : 'api_rejected');
}
