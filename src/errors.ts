/** Every way in which a delivery can be refused or fail. Closed: a new code is a new minor version. */
export type WebhookErrorCode = keyof typeof ERRORS;

const DOCS = 'https://github.com/pathfinder/webhooks-node/blob/main/docs/errors.md';

/** Code → status of the reply, what is wrong, what to do. Each has its heading in docs/errors.md. */
const ERRORS = {
  method_not_allowed: [405, 'Webhooks arrive by POST. Route only POST requests here.'],
  body_already_parsed: [
    500,
    'The body was parsed before the webhook route, so its signed bytes are gone. Mount the route before express.json() and the like.',
  ],
  unsupported_encoding: [
    415,
    'The body has a Content-Encoding. The signature covers plain bytes: turn compression off.',
  ],
  body_too_large: [
    413,
    'The body is longer than `maxBodyBytes`. Raise the option if Pathfinder sends events of this size.',
  ],
  body_timeout: [
    408,
    'The body did not arrive whole within `bodyTimeoutMs`. Look for a slow proxy, or raise the option.',
  ],
  missing_signature: [401, 'There is no X-Pathfinder-Signature header. Check that the proxy passes it on.'],
  malformed_signature: [
    401,
    'The signature header is not `sha256=` and 64 lower-case hex digits. Check who sent this.',
  ],
  signature_mismatch: [
    401,
    "No secret of this endpoint made the signature. Check the endpoint's secret, and that nothing changes the body on its way.",
  ],
  invalid_json: [
    400,
    'The signed body is not JSON in UTF-8 of at most 64 levels. Report it to Pathfinder with the event id.',
  ],
  invalid_envelope: [400, 'The signed body is not a webhook event. Report it to Pathfinder.'],
  too_old: [400, 'The event was created longer ago than `maxAgeSeconds`. Raise the option if this was no replay.'],
  too_new: [
    400,
    "The event's `created` lies in the future by more than `futureSkewSeconds`. Set the clock of this machine.",
  ],
  invalid_data: [422, "The event's `data` does not fit its schema. Update the package, or pass a schema in `events`."],
  id_conflict: [409, 'This event id is known with other bytes. Nothing ran: find out who sends under this id.'],
  in_progress: [503, 'The event is being processed elsewhere. A later delivery gets the outcome.'],
  handler_failed: [500, 'A handler failed. Its error is in `cause`, the logger and `onError`.'],
  handler_timeout: [
    500,
    'A handler ran longer than `handlerTimeoutMs`. Heed `context.signal`, use a queue, or raise the option.',
  ],
  lease_lost: [
    503,
    'The claim on this event passed to another worker, so nothing more is recorded here. Stop the work.',
  ],
  store_unavailable: [503, 'The store did not answer. See `cause`; deliveries are accepted again when it does.'],
  queue_unavailable: [
    503,
    'The queue did not take the event. See `cause`; deliveries are accepted again when it does.',
  ],
  secret_unavailable: [503, 'The `secret` function failed, took over 5 s or returned no usable secret. See `cause`.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

/** All codes, for those who keep a page or a dashboard in step. */
export const WEBHOOK_ERROR_CODES = /* @__PURE__ */ Object.keys(ERRORS) as readonly WebhookErrorCode[];

// The brand is shared by every copy of the package, ESM or CJS, where `instanceof` knows only its own.
const BRAND = /* @__PURE__ */ Symbol.for('pathfinder.webhooks.WebhookError');

/** Options of a {@link WebhookError}. */
export interface WebhookErrorOptions {
  /** What exactly is wrong, in the SDK's own words: never input, a secret or a signature. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/**
 * A delivery that was refused or failed. Branch on `code`; `message` says what is wrong and what to do. Carries no
 * secret, signature or body.
 */
export class WebhookError extends Error {
  readonly code: WebhookErrorCode;
  /** The status of the reply. */
  readonly status: number;

  constructor(code: WebhookErrorCode, options: WebhookErrorOptions = {}) {
    const [status, message] = ERRORS[code];
    const detail = options.detail ? ` ${options.detail}` : '';
    super(`${message}${detail} See ${DOCS}#${code}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'WebhookError';
    this.code = code;
    this.status = status;
  }

  get [BRAND](): true {
    return true;
  }
}

/** Aborts `context.signal` and rejects checkpoints once another worker holds the event. Code `lease_lost`. */
export class LeaseLostError extends WebhookError {
  constructor(options: WebhookErrorOptions = {}) {
    super('lease_lost', options);
    this.name = 'LeaseLostError';
  }
}

/** Whether `error` is a `WebhookError`, of this or any other copy of the package; with `code`, of that code. */
export function isWebhookError(error: unknown, code?: WebhookErrorCode): error is WebhookError {
  try {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
    return code === undefined || (error as WebhookError).code === code;
  } catch {
    // A proxy that throws: whatever it is, it is none of ours.
    return false;
  }
}
