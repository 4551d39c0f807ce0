import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type AcceptedHead,
  BodyCollector,
  refuseHead,
  textParams,
  type WebhookBodyLimits,
  type WebhookDelivery,
  WebhookError,
  type WebhookReply,
} from '../index.ts';
import { bytesOf, isBytes } from '../shared/bytes.ts';

/** A request of node:http, with what body parsers and platforms add to it. */
export interface NodeRequest extends IncomingMessage {
  /** The bytes, where something kept them: Cloud Functions, or the `verify` callback of a parser. Text counts as UTF-8. */
  readonly rawBody?: unknown;
  /** Heeded only as bytes, which is what `express.raw()` leaves. */
  readonly body?: unknown;
  /** The whole URL, where a router shortens `url`. */
  readonly originalUrl?: string | undefined;
  /** The route's parameters; a list, as Express 5 makes of a wildcard, is joined by slashes. */
  readonly params?: object | undefined;
}

/** What routers, body parsers and platforms keep beside the request itself. */
type NodeExtras = Pick<NodeRequest, 'rawBody' | 'body' | 'originalUrl' | 'params'>;

/**
 * Reads a delivery off node:http: refuses by its head what needs no body, then takes `rawBody`, `body` as bytes, or the
 * unread stream, of which it keeps at most `maxBodyBytes`. What follows a refusal is discarded for at most
 * `bodyTimeoutMs` more; then the connection is cut.
 *
 * @param extras - Where else the framework keeps what routers and parsers make.
 * @throws WebhookError whatever `refuseHead` throws, `body_too_large`, and `body_timeout` for a body that came too late
 *   or not to its end.
 */
export async function readNodeDelivery(
  request: NodeRequest,
  limits: WebhookBodyLimits,
  extras: NodeExtras = request,
): Promise<WebhookDelivery> {
  const { method = '', url } = request;
  const delivery = {
    body: new Uint8Array() as Uint8Array,
    method,
    url: extras.originalUrl ?? url,
    params: textParams(extras.params),
    header(name: string) {
      const value = request.headers[name.toLowerCase()];
      return typeof value === 'string' ? value : undefined;
    },
    accepted: undefined as AcceptedHead | undefined,
  };
  const kept = keptBytes(extras) ?? keptBytes(request);
  try {
    delivery.accepted = refuseHead(delivery, limits, !kept && isTaken(request));
  } catch (refusal) {
    discard(request, limits.bodyTimeoutMs);
    throw refusal;
  }
  delivery.body = kept ?? (await readBody(request, limits));
  return delivery;
}

/** Writes a reply, unless something else has answered or the sender is gone. */
export function writeNodeReply(response: ServerResponse, { status, headers, body }: WebhookReply): void {
  if (response.headersSent || response.destroyed) return;
  // Replies are ASCII; without a length Node would send them in chunks. The length comes before the spread: adding it to
  // a spread object costs 5 µs of a delivery's 60. The headers are an object, since code that wraps writeHead, as Next's
  // does, misreads a flat list.
  response.writeHead(status, { 'content-length': body.length, ...headers }).end(body);
}

function keptBytes({ rawBody, body }: NodeExtras): Uint8Array | undefined {
  if (typeof rawBody === 'string' || isBytes(rawBody)) return bytesOf(rawBody);
  return isBytes(body) ? bytesOf(body) : undefined;
}

// A stream with an encoding gives text, of which the bytes cannot be had back.
function isTaken({ readableDidRead, readableEnded, readableEncoding }: IncomingMessage): boolean {
  return readableDidRead || readableEnded || Boolean(readableEncoding);
}

async function readBody(request: IncomingMessage, limits: WebhookBodyLimits): Promise<Uint8Array> {
  // Something else listens already: to miss nothing, this listens too.
  if (request.readableFlowing) return readStream(request, limits);
  // Node has handed over the rest of the packet after this wait. That is the whole body of most deliveries, which then
  // takes neither listeners nor a timer.
  await undefined;
  if (isTaken(request)) throw new WebhookError('body_already_parsed');
  const { readableLength, headers } = request;
  if (readableLength !== Number(headers['content-length']) || request.destroyed) return readStream(request, limits);
  const bytes: Buffer | null = request.read();
  // The stream goes on to its end, which others may wait for.
  request.resume();
  return bytes ?? new Uint8Array();
}

function readStream(request: IncomingMessage, { maxBodyBytes, bodyTimeoutMs }: WebhookBodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const collector = new BodyCollector(maxBodyBytes, request.headers['content-length']);
    const onLate = () => refuse(new WebhookError('body_timeout'));
    const deadline = setTimeout(onLate, bodyTimeoutMs);
    request.on('data', onData).on('end', onEnd).on('error', onLate).on('close', onLate).resume();
    // A destroyed request sends no more events.
    if (request.destroyed) onLate();

    function onData(piece: Uint8Array): void {
      try {
        collector.add(piece);
      } catch (tooLarge) {
        refuse(tooLarge);
      }
    }

    function onEnd(): void {
      stopReading();
      resolve(collector.bytes());
    }

    function refuse(refusal: unknown): void {
      stopReading();
      discard(request, bodyTimeoutMs);
      reject(refusal);
    }

    function stopReading(): void {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('error', onLate).off('close', onLate);
    }
  });
}

// The rest is read and dropped: cutting the sender off at once would throw away the reply that it has yet to read.
function discard(request: IncomingMessage, forMs: number): void {
  if (request.readableEnded || request.destroyed) return;
  const cut = setTimeout(() => request.destroy(), forMs);
  const stop = () => clearTimeout(cut);
  request.on('end', stop).on('close', stop).resume();
}
