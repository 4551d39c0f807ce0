import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  refuseHead,
  type WebhookBodyLimits,
  type WebhookDelivery,
  type WebhookDeliveryHead,
  WebhookError,
  type WebhookReply,
} from '../index.ts';

/** A request of `node:http` and of what is built on it. */
export interface NodeRequest extends IncomingMessage {
  /** What a body parser left. */
  readonly body?: unknown;
  /** The bytes, where a platform or a parser's `verify` kept them. */
  readonly rawBody?: unknown;
  readonly params?: unknown;
}

// How long the reply to a body that came too late may take to leave.
const LAST_WORDS_MS = 1000;

/**
 * Reads a delivery: refuses what needs no body, then takes the bytes from `rawBody`, from a parser that kept them
 * (`express.raw()`), or from the stream, never more than `maxBodyBytes` nor longer than `bodyTimeoutMs`.
 */
export async function readNodeDelivery(request: NodeRequest, limits: WebhookBodyLimits): Promise<WebhookDelivery> {
  const head = headOf(request);
  const kept = keptBytes(request);
  const alreadyParsed = kept === undefined && (request.readableDidRead || request.readableEnded);
  try {
    refuseHead(head, limits, alreadyParsed);
  } catch (error) {
    discard(request, limits.bodyTimeoutMs);
    throw error;
  }
  return { ...head, body: kept ?? (await readStream(request, limits)) };
}

/** Writes the reply, unless somebody else did or the client is gone. */
export function writeNodeReply(response: ServerResponse, { status, headers, body }: WebhookReply): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function headOf(request: NodeRequest): WebhookDeliveryHead {
  return {
    method: request.method ?? '',
    url: request.url,
    params: request.params as WebhookDeliveryHead['params'],
    header(name) {
      const value = request.headers[name.toLowerCase()];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

function keptBytes({ rawBody, body }: NodeRequest): Uint8Array | undefined {
  if (typeof rawBody === 'string') return Buffer.from(rawBody);
  if (rawBody instanceof Uint8Array) return rawBody;
  return body instanceof Uint8Array ? body : undefined;
}

function readStream(request: NodeRequest, { maxBodyBytes, bodyTimeoutMs }: WebhookBodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => refuse('body_timeout', LAST_WORDS_MS), bodyTimeoutMs);

    function onData(chunk: Buffer): void {
      bytes += chunk.length;
      if (bytes > maxBodyBytes) refuse('body_too_large', bodyTimeoutMs);
      else chunks.push(chunk);
    }

    function onEnd(): void {
      leave();
      const [only] = chunks;
      resolve(only && chunks.length === 1 ? only : Buffer.concat(chunks, bytes));
    }

    // The sender is gone, and the reply with it.
    function onClose(): void {
      refuse('body_timeout', 0);
    }

    function refuse(code: 'body_timeout' | 'body_too_large', lingerMs: number): void {
      leave();
      discard(request, lingerMs);
      reject(new WebhookError(code));
    }

    function leave(): void {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
    }

    request.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
  });
}

// Reads on without keeping anything, since a socket closed on unread bytes can take the reply with it; but not for ever.
function discard(request: NodeRequest, lingerMs: number): void {
  if (request.readableEnded || request.destroyed) return;
  const timer = setTimeout(() => {
    if (!request.complete) request.destroy();
  }, lingerMs);
  timer.unref();
  request.on('error', () => undefined);
  request.once('close', () => clearTimeout(timer));
  request.resume();
}
