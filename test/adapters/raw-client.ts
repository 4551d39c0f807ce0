import { connect } from 'node:net';

/** A reply as it came over the wire: only the headers that the reply table names, so that servers may add their own. */
export interface RawReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const OURS = ['content-type', 'cache-control', 'x-content-type-options', 'allow', 'retry-after'];

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  /** Lines as they are sent, several of a name included. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Sent one after the other. */
  readonly chunks?: readonly (Uint8Array | string)[];
  readonly chunkDelayMs?: number;
  /** Sends no `Content-Length` of its own accord. */
  readonly bare?: boolean;
  readonly timeoutMs?: number;
}

/** Sends bytes that no HTTP client would send, and reads one reply. Resolves to `undefined` when there was none. */
export function sendRaw(port: number, request: RawRequest): Promise<RawReply | undefined> {
  const {
    method = 'POST',
    path = '/webhooks',
    headers = [],
    chunks = [],
    chunkDelayMs = 0,
    timeoutMs = 8000,
  } = request;
  const bytes = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk), 0);
  const length = request.bare ? [] : [`content-length: ${bytes}`];
  const lines = [`${method} ${path} HTTP/1.1`, 'host: localhost', 'connection: close', ...length];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parseReply(Buffer.concat(received), method));
    };
    const timer = setTimeout(finish, timeoutMs);
    socket.on('data', (data) => {
      received.push(data);
      if (isComplete(Buffer.concat(received), method)) finish();
    });
    socket.on('error', () => undefined);
    socket.on('close', finish);
    socket.on('connect', async () => {
      socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
      for (const chunk of chunks) {
        if (chunkDelayMs) await new Promise((wake) => setTimeout(wake, chunkDelayMs));
        if (socket.destroyed) return;
        socket.write(chunk);
      }
    });
  });
}

/** Bytes in chunked transfer coding, `size` at a time. */
export function chunked(body: Uint8Array, size: number, trailer = ''): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < body.length; i += size) {
    const part = body.subarray(i, i + size);
    chunks.push(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]));
  }
  return [...chunks, Buffer.from(`0\r\n${trailer}\r\n`)];
}

function split(raw: Buffer): { head: string[]; body: string } | undefined {
  // An interim reply comes before the real one.
  const text = raw.toString('latin1').replace(/^HTTP\/1\.1 100[\s\S]*?\r\n\r\n/, '');
  const end = text.indexOf('\r\n\r\n');
  return end === -1 ? undefined : { head: text.slice(0, end).split('\r\n'), body: text.slice(end + 4) };
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.replace(/^[^:]*:\s*/, '')]),
  );
}

function isComplete(raw: Buffer, method: string): boolean {
  const parts = split(raw);
  if (!parts) return false;
  const length = headersOf(parts.head.slice(1))['content-length'];
  return method === 'HEAD' || (length !== undefined && parts.body.length >= Number(length));
}

function parseReply(raw: Buffer, method: string): RawReply | undefined {
  const parts = split(raw);
  if (!parts || (method !== 'HEAD' && !isComplete(raw, method) && parts.body === '')) return undefined;
  const all = headersOf(parts.head.slice(1));
  const headers = Object.fromEntries(OURS.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
  return { status: Number(parts.head[0]?.split(' ')[1]), headers, body: parts.body };
}
