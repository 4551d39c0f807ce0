import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { CliError } from './failure.ts';

const MAX_REPLY_BYTES = 1_048_576;

/** A request, byte for byte. */
export interface Outgoing {
  /** Default `POST`. */
  readonly method?: string | undefined;
  /** A list sends the header several times. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | undefined;
  /** Writes the body by itself, in the place of `body`. */
  readonly write?: ((request: ClientRequest) => void) | undefined;
}

/** A reply. Redirects are replies like any other. */
export interface Incoming {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** At most 1 MiB of it. */
  readonly body: Buffer;
  /** Milliseconds until all of it was there. */
  readonly ms: number;
}

export interface ExchangeOptions {
  /** Milliseconds until the whole reply has to be there. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Looks up names in the place of `dns.lookup`. */
  readonly lookup?: LookupFunction | undefined;
}

/**
 * Sends a request and reads the reply, on a connection of its own. Follows no redirect.
 *
 * @throws CliError `unreachable` or `timeout`; the signal's reason when it aborts.
 */
export async function exchange(url: URL, outgoing: Outgoing, options: ExchangeOptions): Promise<Incoming> {
  const { timeoutMs, signal, lookup } = options;
  signal.throwIfAborted();
  const startedAtMs = performance.now();
  const deadline = AbortSignal.timeout(timeoutMs);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(url, {
        method: outgoing.method ?? 'POST',
        headers: withLength(outgoing),
        agent: false,
        signal: AbortSignal.any([deadline, signal]),
        ...(lookup && { lookup }),
      });
      request.once('response', resolve);
      request.on('error', reject);
      if (outgoing.write) outgoing.write(request);
      else request.end(outgoing.body);
    });
    const body = await readStart(response);
    const { statusCode = 0, headers } = response;
    return { status: statusCode, headers, body, ms: performance.now() - startedAtMs };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CliError) throw error;
    if (deadline.aborted) throw late(url, timeoutMs);
    throw unreachable(url, error);
  }
}

// Without a length a body of bytes would be sent in chunks, which Pathfinder's documentation does not show.
function withLength({ headers, body, write }: Outgoing): Record<string, string | string[]> {
  const entries = Object.entries(headers).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : [...value],
  ]);
  if (body && !write) entries.push(['content-length', String(body.length)]);
  return Object.fromEntries(entries);
}

async function readStart(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    // Leaving the loop destroys the response, and the connection with it.
    if (bytes >= MAX_REPLY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_REPLY_BYTES);
}

function late(url: URL, timeoutMs: number): CliError {
  const message = `No whole reply from ${url.origin} within ${timeoutMs} ms.`;
  return new CliError('unreachable', 'timeout', message, 'Does the handler end? Wait longer with --timeout <seconds>.');
}

const REASONS: Readonly<Record<string, readonly [why: string, fix: string]>> = {
  ECONNREFUSED: ['nothing is listening there', 'Start your app, or check the address.'],
  ENOTFOUND: ['there is no such host', 'Check the host name.'],
  EAI_AGAIN: ['the host name could not be looked up', 'Check the network and the host name.'],
  ECONNRESET: ['the connection was closed without a reply', "Look into your app's log: it may have crashed."],
  EPIPE: ['the connection was closed without a reply', "Look into your app's log: it may have crashed."],
  EHOSTUNREACH: ['the host cannot be reached', 'Check the network.'],
  ENETUNREACH: ['the network cannot be reached', 'Check the network.'],
  EPROTO: ['it does not speak TLS', 'Pass an http:// URL.'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['it does not speak TLS', 'Pass an http:// URL.'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['it does not speak TLS', 'Pass an http:// URL.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['its certificate is self-signed', 'Set NODE_EXTRA_CA_CERTS to its certificate.'],
  SELF_SIGNED_CERT_IN_CHAIN: [
    'its certificate is self-signed',
    "Set NODE_EXTRA_CA_CERTS to its authority's certificate.",
  ],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'Renew the certificate.'],
};

function unreachable(url: URL, error: unknown): CliError {
  const code = codeOf(error) ?? '';
  const [why, fix] = REASONS[code] ?? ['it gave no reply that is HTTP', 'Check the address and the port.'];
  const place = `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`;
  return new CliError('unreachable', 'unreachable', `${[code, place].filter(Boolean).join(' ')}: ${why}.`, fix);
}

// For a name with several addresses the reasons are in `errors`.
function codeOf(error: unknown): string | undefined {
  const { code, errors } = error as { readonly code?: unknown; readonly errors?: readonly unknown[] };
  if (typeof code === 'string') return code;
  return errors?.map(codeOf).find((inner) => inner !== undefined);
}
