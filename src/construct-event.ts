import { requireDigest, toBytes } from './accept.ts';
import { refuseMismatch } from './authenticate.ts';
import type { ReceivedWebhookEvent } from './events/index.ts';
import { parseWebhookEvent } from './parse.ts';
import { checkNames, type OptionNames } from './shared/check.ts';
import { createKeyring, type WebhookPayload, type WebhookSecret, type WebhookSignature } from './signature.ts';
import { type AgeLimits, ageProblem, validateBuiltIn } from './validate.ts';

/** Options of {@link constructWebhookEvent}. */
export interface ConstructWebhookEventOptions extends AgeLimits {
  /** `reject` refuses `data` that departs from its built-in schema. Default: it passes. */
  readonly validation?: 'reject' | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

const NAMES: OptionNames<ConstructWebhookEventOptions> = {
  maxAgeSeconds: true,
  futureSkewSeconds: true,
  validation: true,
  now: true,
};

const keyring = /* @__PURE__ */ createKeyring();

/**
 * Verifies a delivery and reads its event, for those who dispatch by themselves: nothing is remembered, so a delivery
 * that comes twice is an event twice.
 *
 * @throws WebhookError `body_already_parsed`, `missing_signature`, `malformed_signature`, `signature_mismatch`,
 *   `invalid_json`, `invalid_envelope`, `too_old`, `too_new` or `invalid_data`.
 * @throws TypeError for an unusable secret.
 */
export function constructWebhookEvent(
  payload: WebhookPayload,
  signature: WebhookSignature,
  secret: WebhookSecret,
  options: ConstructWebhookEventOptions = {},
): ReceivedWebhookEvent {
  checkNames('constructWebhookEvent', options, NAMES);
  const keys = keyring(secret);
  const body = toBytes(payload);
  refuseMismatch(body, requireDigest(signature), keys);
  const event = parseWebhookEvent(body);
  const problem = ageProblem(event.created, (options.now ?? Date.now)(), options);
  if (problem) throw problem;
  const drift = options.validation === 'reject' ? validateBuiltIn(event) : undefined;
  if (drift) throw drift;
  return event;
}
