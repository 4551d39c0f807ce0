import { constructWebhookEvent, isWebhookError, WebhookError, type WebhookErrorCode } from '../../../index.ts';
import { diagnoseSignature } from '../../../testing/index.ts';
import { namesIn } from '../../support/json.ts';

/** A delivery's verdict, and its names where they may be told: nothing of a body is, before it is verified. */
export interface Examined {
  readonly verdict: 'verified' | 'unverified' | WebhookErrorCode;
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  /** Why it was refused, and what to do. */
  readonly why?: string;
  readonly fix?: string;
  /** The status it is refused with. */
  readonly refused?: number;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Verifies and reads a delivery. With `verify: false` what is not verified is read too, and says so. */
export function examine(body: Buffer, headers: Headers, secrets: readonly string[], verify: boolean): Examined {
  try {
    const { id, type } = constructWebhookEvent(body, headers['x-pathfinder-signature'], secretOf(secrets));
    return { verdict: 'verified', id, type };
  } catch (error) {
    const { code, status } = isWebhookError(error) ? error : new WebhookError('missing_signature');
    if (!verify) return { verdict: 'unverified', ...namesIn(body) };
    if (status !== 401) return { verdict: code, refused: status, ...cureOf(error) };
    const { why, fix } = diagnoseSignature(body, headers, [...secrets]);
    return { verdict: code, refused: status, why, fix };
  }
}

// Without a secret nothing is verified; the random one only makes sure of it.
function secretOf(secrets: readonly string[]): readonly string[] {
  return secrets.length > 0 ? secrets : [crypto.randomUUID()];
}

function cureOf(error: unknown): Pick<Examined, 'why' | 'fix'> {
  const [, why = '', fix = ''] = /^(.*?\.) (.*)$/s.exec((error as Error).message) ?? [];
  return { why, fix };
}
