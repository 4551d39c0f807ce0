import { WebhookError } from './errors.ts';

/** Between which ages an event is taken. */
export interface AgeLimits {
  /** Default: any age passes. */
  readonly maxAgeSeconds?: number | undefined;
  /** How far ahead the sender's clock may be. Default 300; only with `maxAgeSeconds`. */
  readonly futureSkewSeconds?: number | undefined;
}

export const FUTURE_SKEW_SECONDS = 300;

/** Why an event created at `created` (Unix seconds) is refused at `nowMs`, if it is. */
export function ageProblem(created: number, nowMs: number, limits: AgeLimits): WebhookError | undefined {
  const { maxAgeSeconds, futureSkewSeconds = FUTURE_SKEW_SECONDS } = limits;
  if (maxAgeSeconds === undefined) return undefined;
  const ageSeconds = nowMs / 1000 - created;
  if (ageSeconds > maxAgeSeconds) return new WebhookError('too_old');
  if (-ageSeconds > futureSkewSeconds) return new WebhookError('too_new');
  return undefined;
}
