import { SIGNATURE_HEADER } from '../delivery.ts';
import type { AnyWebhookEvent, WebhookEvent, WebhookEventType } from '../events/index.ts';
import { mergeDeep, type SampleEventOptions, type SampleOverrides, sampleEvent } from './sample-event.ts';
import { signWebhookPayload } from './sign.ts';

const DEFAULT_URL = 'http://localhost:3000/webhooks/pathfinder';
const STALE_SECONDS = 30 * 24 * 60 * 60;

/** Bytes that every `fetch`, with the types of any runtime, takes as a body. */
export type SignedBody = Uint8Array & { readonly buffer: ArrayBuffer };

/** How to sign and address a request, whatever its event. */
export interface SigningOptions extends SampleEventOptions {
  /** The signing secret of the receiver; one, also while rotating. */
  readonly secret: string | Uint8Array;
  /** Where it goes, for `toRequest` and `curl`. Default `http://localhost:3000/webhooks/pathfinder`. */
  readonly url?: string | URL | undefined;
  /** More headers, or other values for those that are set. Names are lower-cased. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** The options of a request with a sample of type `T`: how to sign it, and what to change in the sample. */
export type SignedRequestOptions<T extends WebhookEventType> = SigningOptions & SampleOverrides<T>;

/** The options of a request with an event of one's own, and what to change in it. */
export interface SignedEventOptions extends SigningOptions {
  /** Another id than the event's. */
  readonly id?: string | undefined;
  /** Unix seconds, other than the event's. */
  readonly created?: number | undefined;
  readonly api_version?: string | undefined;
  /** Merged over the event's `data`. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** Merged over the event's `previous_attributes`. */
  readonly previous_attributes?: Readonly<Record<string, unknown>> | undefined;
}

/** A delivery as Pathfinder would post it: the exact bytes, and the headers that belong to them. */
export interface SignedRequest<Event extends AnyWebhookEvent = AnyWebhookEvent> {
  readonly url: string;
  readonly method: 'POST';
  /** What was signed, byte for byte. On Node a `Buffer`. Send it as it is: no client may serialise it again. */
  readonly body: SignedBody;
  /** Lower-case names: `content-type`, `x-pathfinder-signature`, and those of the options. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the body says. */
  readonly event: Event;
  /** A web-standard request, a new one at each call; `url` replaces the one of the options. */
  toRequest(url?: string | URL): Request;
  /** The same request as a command for a POSIX shell. */
  curl(): string;
  /** The same but for the last character of the body's `id`, changed after signing: a receiver must answer 401. */
  tampered(): SignedRequest<Event>;
  /** The same without the signature header: 401. */
  unsigned(): SignedRequest<Event>;
  /** The same bytes again, as a sender that saw no answer would send them: the handlers must not run again. */
  duplicate(): SignedRequest<Event>;
  /**
   * The same event, rightly signed, but created longer ago: 400 `too_old` with `maxAgeSeconds`, unless the receiver knows
   * the id, since its bytes are then another event's (409).
   *
   * @param ageSeconds - How much longer ago. Default 30 days.
   */
  stale(ageSeconds?: number): SignedRequest<Event>;
}

/**
 * A signed delivery for tests: bytes and headers together, so that both arrive as they were signed.
 *
 * @param type - One of the nineteen names, for a sample; or a whole event, for types and shapes of your own.
 * @param options - The secret, and whatever should differ from the sample.
 * @throws TypeError for an unknown name or a secret that `verifyWebhookSignature` would refuse.
 *
 * @example
 * ```ts
 * const delivery = signedRequest('user.created', { secret, data: { user: { email: 'ada@example.com' } } });
 * expect((await app.request(delivery.toRequest())).status).toBe(200);
 * expect((await app.request(delivery.tampered().toRequest())).status).toBe(401);
 * ```
 */
export function signedRequest<T extends WebhookEventType>(
  type: T,
  options: SignedRequestOptions<T>,
): SignedRequest<WebhookEvent<T>>;
export function signedRequest<Event extends AnyWebhookEvent>(
  event: Event,
  options: SignedEventOptions,
): SignedRequest<Event>;
export function signedRequest(
  typeOrEvent: WebhookEventType | AnyWebhookEvent,
  { secret, url = DEFAULT_URL, headers = {}, nextId, now, ...overrides }: SignedEventOptions,
): SignedRequest {
  const event =
    typeof typeOrEvent === 'string'
      ? sampleEvent(typeOrEvent, overrides as SampleOverrides<WebhookEventType>, { nextId, now })
      : (mergeDeep(typeOrEvent, overrides) as AnyWebhookEvent);
  const extra = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return requestOf(event, { secret, url: new URL(url).href, extraHeaders: Object.fromEntries(extra) });
}

/** An event that differs in the last character of its id, and so in its signature, and in nothing else. @internal */
export function tamperEvent<Event extends AnyWebhookEvent>(event: Event): Event {
  const { id } = event;
  return { ...event, id: `${String(id).slice(0, -1)}${String(id).endsWith('0') ? '1' : '0'}` };
}

interface Envelope {
  readonly secret: string | Uint8Array;
  readonly url: string;
  readonly extraHeaders: Readonly<Record<string, string>>;
}

function requestOf<Event extends AnyWebhookEvent>(event: Event, envelope: Envelope): SignedRequest<Event> {
  const body = bytesOf(event);
  const headers = {
    'content-type': 'application/json',
    [SIGNATURE_HEADER]: signWebhookPayload(body, envelope.secret),
    ...envelope.extraHeaders,
  };
  return variantOf({ event, body, headers }, envelope);
}

interface Parts<Event> {
  readonly event: Event;
  readonly body: SignedBody;
  readonly headers: Readonly<Record<string, string>>;
}

function variantOf<Event extends AnyWebhookEvent>(parts: Parts<Event>, envelope: Envelope): SignedRequest<Event> {
  const { event, body, headers } = parts;
  const { url } = envelope;
  return {
    url,
    method: 'POST',
    body,
    headers,
    event,
    toRequest: (otherUrl = url) => new Request(otherUrl, { method: 'POST', headers: { ...headers }, body }),
    curl: () => curlCommand(url, headers, body),
    tampered() {
      const altered = tamperEvent(event);
      return variantOf({ event: altered, body: bytesOf(altered), headers }, envelope);
    },
    unsigned() {
      const { [SIGNATURE_HEADER]: _, ...others } = headers;
      return variantOf({ event, body, headers: others }, envelope);
    },
    duplicate: () => variantOf({ event, body: copyOf(body), headers: { ...headers } }, envelope),
    stale: (ageSeconds = STALE_SECONDS) => requestOf({ ...event, created: event.created - ageSeconds }, envelope),
  };
}

function bytesOf(event: AnyWebhookEvent): SignedBody {
  return Buffer.from(JSON.stringify(event), 'utf8');
}

function copyOf(body: Uint8Array): SignedBody {
  return Buffer.from(body);
}

function curlCommand(url: string, headers: Readonly<Record<string, string>>, body: Uint8Array): string {
  const text = new TextDecoder().decode(body);
  const headerFlags = Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`);
  return [`curl -X POST ${quote(url)}`, ...headerFlags, `--data-raw ${quote(text)}`].join(' \\\n  ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
