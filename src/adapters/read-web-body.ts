import {
  type AcceptedHead,
  BodyCollector,
  isWebhookError,
  refuseHead,
  type WebhookBodyLimits,
  type WebhookDelivery,
  WebhookError,
} from '../index.ts';
import { isBytes } from '../shared/bytes.ts';
import { within } from '../shared/time.ts';

/** What a platform knows beside the request. */
export type WebPlatform = Pick<WebhookDelivery, 'params' | 'env' | 'waitUntil'>;

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, 'read' | 'cancel'>;

/**
 * Reads a delivery off a web-standard request: refuses by its head what needs no body, then keeps at most `maxBodyBytes`.
 *
 * @param whole - The runtime's own way to read a body at once, several times as fast as its stream. Taken for a body
 *   whose length was announced, to which the server holds it, and for one that was read and kept.
 * @throws WebhookError whatever `refuseHead` throws, `body_already_parsed`, `body_too_large`, and `body_timeout` for a
 *   body that came too late or not to its end.
 */
export async function readWebDelivery(
  request: Request,
  limits: WebhookBodyLimits,
  platform: WebPlatform,
  whole?: (() => Promise<ArrayBuffer>) | undefined,
): Promise<WebhookDelivery> {
  const { bodyUsed } = request;
  const delivery = new WebDelivery(request, platform);
  const accepted = refuseHead(delivery, limits, bodyUsed && !whole);
  delivery.accepted = accepted;
  try {
    const atOnce = whole && (bodyUsed || accepted.announcedBytes <= limits.maxBodyBytes);
    const bytes = atOnce
      ? await within(limits.bodyTimeoutMs, whole(), onLate)
      : await readStream(request, limits, accepted);
    delivery.body = isBytes(bytes) ? bytes : new Uint8Array(bytes);
    return delivery;
  } catch (error) {
    if (isWebhookError(error)) throw error;
    // Every runtime throws a TypeError for a stream that somebody else reads. Any other error is a sender who left.
    throw new WebhookError(isTypeError(error) ? 'body_already_parsed' : 'body_timeout');
  }
}

const NOTHING = new Uint8Array();

// A class, so that what the platform makes on demand is made on demand here too.
class WebDelivery implements WebhookDelivery {
  body: Uint8Array = NOTHING;
  accepted: AcceptedHead | undefined;
  readonly method: string;
  readonly url: string;
  readonly #headers: Headers;
  readonly #platform: WebPlatform;

  constructor({ method, url, headers }: Request, platform: WebPlatform) {
    this.method = method;
    this.url = url;
    this.#headers = headers;
    this.#platform = platform;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined;
  }

  get params(): WebPlatform['params'] {
    return this.#platform.params;
  }

  get env(): unknown {
    return this.#platform.env;
  }

  get waitUntil(): WebPlatform['waitUntil'] {
    return this.#platform.waitUntil;
  }
}

async function readStream(
  request: Request,
  { maxBodyBytes, bodyTimeoutMs }: WebhookBodyLimits,
  { announcedBytes }: AcceptedHead,
): Promise<Uint8Array> {
  const reader: Reader | undefined = request.body?.getReader();
  if (!reader) return new Uint8Array();
  try {
    return await within(bodyTimeoutMs, readPieces(reader, new BodyCollector(maxBodyBytes, announcedBytes)), onLate);
  } catch (refusal) {
    void discard(reader, bodyTimeoutMs);
    throw refusal;
  }
}

async function readPieces(reader: Reader, collector: BodyCollector): Promise<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return collector.bytes();
    collector.add(value);
  }
}

function onLate(): never {
  throw new WebhookError('body_timeout');
}

// The rest is read and dropped, so that a sender who is done soon can read the reply and use the connection again.
async function discard(reader: Reader, forMs: number): Promise<void> {
  const cut = setTimeout(() => reader.cancel().catch(() => undefined), forMs);
  try {
    while (!(await reader.read()).done);
  } catch {
    // The sender left.
  }
  clearTimeout(cut);
}

// By name, since the error may come from another realm than this code, as in a sandbox of tests.
function isTypeError(error: unknown): boolean {
  return error instanceof TypeError || (error as Error | undefined)?.name === 'TypeError';
}
