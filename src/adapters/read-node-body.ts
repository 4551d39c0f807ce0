import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuseHead, type WebhookBodyLimits, type WebhookDelivery, WebhookError, type WebhookReply } from '../index.ts';

/** A request of node:http, with what body parsers and platforms add to it. */
export interface NodeRequest extends IncomingMessage {
  /** The bytes, where something kept them: Cloud Functions, or the `verify` callback of a parser. Text counts as UTF-8. */
  readonly rawBody?: unknown;
  /** Heeded only as bytes, which is what `express.raw()` leaves. */
  readonly body?: unknown;
  /** The whole URL, where a router shortens `url`. */
  readonly originalUrl?: string;
  /** The route's parameters; a list, as Express 5 makes of a wildcard, is joined by slashes. */
  readonly params?: object;
}

/** What routers, body parsers and platforms keep beside the request itself. */
type NodeExtras = Pick<NodeRequest, 'rawBody' | 'body' | 'originalUrl' | 'params'>;

// How long a sender that was too slow gets to read why.
const LINGER_MS = 1000;

/**
 * Reads a delivery off node:http: refuses by its head what needs no body, then takes `rawBody`, `body` as bytes, or the
 * unread stream, of which it keeps at most `maxBodyBytes`. What follows a refusal is discarded until `bodyTimeoutMs`
 * have passed; then the connection is cut.
 *
 * @param extras - Where the framework keeps them, if that is not the request.
 * @throws WebhookError whatever `refuseHead` throws, `body_too_large`, and `body_timeout` for a body that came too late
 *   or not to its end.
 */
export async function readNodeDelivery(
  request: NodeRequest,
  limits: WebhookBodyLimits,
  extras: NodeExtras = request,
): Promise<WebhookDelivery> {
  const { method = '', url } = request;
  const kept = keptBytes(extras);
  const head = {
    method,
    url: extras.originalUrl ?? url,
    params: textParams(extras.params),
    header(name: string) {
      const value = request.headers[name.toLowerCase()];
      return typeof value === 'string' ? value : undefined;
    },
  };
  try {
    refuseHead(head, limits, !kept && isTaken(request));
  } catch (refusal) {
    discard(request, limits.bodyTimeoutMs);
    throw refusal;
  }
  return Object.assign(head, { body: kept ?? (await readStream(request, limits)) });
}

/** Writes a reply, unless something else has answered or the sender is gone. */
export function writeNodeReply(response: ServerResponse, { status, headers, body }: WebhookReply): void {
  if (response.headersSent || response.destroyed) return;
  // Replies are ASCII; without a length Node would send them in chunks.
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

/** The parameters of a route as text; a list, as of a wildcard, is joined by slashes. */
export function textParams(params: object = {}): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) texts[name] = [value].flat().join('/');
  return texts;
}

function keptBytes({ rawBody, body }: NodeExtras): Uint8Array | undefined {
  if (typeof rawBody === 'string') return new TextEncoder().encode(rawBody);
  return [rawBody, body].find((bytes) => bytes instanceof Uint8Array);
}

// With an encoding it gives text, of which the bytes cannot be had back.
function isTaken({ readableDidRead, readableEnded, readableEncoding }: IncomingMessage): boolean {
  return readableDidRead || readableEnded || Boolean(readableEncoding);
}

function readStream(request: IncomingMessage, { maxBodyBytes, bodyTimeoutMs }: WebhookBodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let bytes = new Uint8Array();
    let size = 0;
    const endsAtMs = performance.now() + bodyTimeoutMs;
    const deadline = setTimeout(onLate, bodyTimeoutMs);
    request.on('data', onData).on('end', onEnd).on('error', onLate).on('close', onLate).resume();
    // Its events are over.
    if (request.destroyed) onLate();

    function onData(piece: Uint8Array<ArrayBuffer>): void {
      const end = size + piece.length;
      if (end > maxBodyBytes) refuse('body_too_large');
      else if (size > 0) {
        if (end > bytes.length) grow(end);
        bytes.set(piece, size);
      } else bytes = piece;
      size = end;
    }

    // Once for a body whose length was announced. A list of pieces could weigh a hundred times as much as they do.
    function grow(end: number): void {
      const announced = Number(request.headers['content-length']);
      const grown = new Uint8Array(announced >= end ? announced : 2 * end);
      grown.set(bytes);
      bytes = grown;
    }

    function onEnd(): void {
      settle();
      resolve(bytes.length > size ? bytes.slice(0, size) : bytes);
    }

    function onLate(): void {
      refuse('body_timeout');
    }

    function refuse(code: 'body_too_large' | 'body_timeout'): void {
      settle();
      discard(request, Math.max(LINGER_MS, endsAtMs - performance.now()));
      reject(new WebhookError(code));
    }

    function settle(): void {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('error', onLate).off('close', onLate);
    }
  });
}

// To cut the sender off at once would also throw away the reply that it has yet to read.
function discard(request: IncomingMessage, forMs: number): void {
  if (request.readableEnded || request.destroyed) return;
  const cut = setTimeout(() => request.destroy(), forMs);
  const stop = () => clearTimeout(cut);
  request.on('end', stop).on('close', stop).resume();
}
