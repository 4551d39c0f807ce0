import type { ReceivedWebhookEvent } from './events/index.ts';
import type { WebhookLogger } from './report/logger.ts';

/** What an adapter hands in: plain data, and a getter for headers (any case). */
export interface WebhookDelivery {
  /** The raw body, byte for byte. */
  readonly body: Uint8Array;
  readonly method: string;
  readonly url?: string | undefined;
  /** The route's parameters, for a `secret` function that serves several tenants. */
  readonly params?: Readonly<Record<string, string>> | undefined;
  /** The value of a header, whatever its case; several of a name joined by a comma. */
  header(name: string): string | undefined;
  /** Keeps a serverless platform alive for work behind the reply. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined;
  /** The platform's bindings, where it has them per request. */
  readonly env?: unknown;
  /** What {@link refuseHead} returned for it, where an adapter called that: `receive` then asks `header` for nothing. */
  readonly accepted?: AcceptedHead | undefined;
}

/** A delivery before its body is read. */
export type WebhookDeliveryHead = Omit<WebhookDelivery, 'body' | 'accepted'>;

/** What an adapter writes out: plain data. */
export interface WebhookReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What an adapter has to heed while it reads. */
export interface WebhookBodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
}

/** A delivery that was verified and read, or the reply to one that was refused. */
export type WebhookAdmission =
  | { readonly event: ReceivedWebhookEvent; readonly tenant: string | undefined }
  | { readonly reply: WebhookReply };

/** What an adapter mounts: a `WebhookHandler`, whatever its event types. */
export interface WebhookReceiver {
  readonly limits: WebhookBodyLimits;
  /**
   * Takes a delivery through to its reply. Never rejects.
   *
   * @param logger - Told of this delivery's refusal in the place of the handler's own: the request's, where it has one.
   */
  receive(delivery: WebhookDelivery | Promise<WebhookDelivery>, logger?: WebhookLogger): Promise<WebhookReply>;
  /** Verifies and reads a delivery, and runs nothing. Never rejects. */
  admit(delivery: WebhookDelivery | Promise<WebhookDelivery>, logger?: WebhookLogger): Promise<WebhookAdmission>;
}

export const SIGNATURE_HEADER = 'x-pathfinder-signature';

/** A head that {@link refuseHead} let pass, with what it read there. Nothing else makes one, so `receive` relies on it. */
export class AcceptedHead {
  readonly #digest: string;
  /** The value of the Content-Length header; not a number where there is none. */
  readonly announcedBytes: number;

  constructor(digest: string, announcedBytes: number) {
    this.#digest = digest;
    this.announcedBytes = announcedBytes;
  }

  /** The 64 hex digits that the signature header claims. */
  get digest(): string {
    return this.#digest;
  }

  /** Whether `refuseHead` of this copy of the package made the value: what only looks like it has no such private field. */
  static is(value: unknown): value is AcceptedHead {
    return typeof value === 'object' && value !== null && #digest in value;
  }
}

/** A route's parameters as text; a list, as Express 5 and Next make of a wildcard, is joined by slashes. */
export function textParams(params: object = {}): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) texts[name] = [value].flat().join('/');
  return texts;
}
