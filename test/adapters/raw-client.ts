import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type HeaderLine = readonly [name: string, value: string];

export interface RawRequest {
  /** Default `POST`. */
  readonly method?: string;
  /** The request target. Default: the path of the URL. */
  readonly target?: string;
  /** Lines as they are sent, several of a name included; each character is one byte. */
  readonly headers?: readonly HeaderLine[];
  /** Sent one after the other. Default none. */
  readonly pieces?: readonly Uint8Array[];
  /** How the length is told: `none` leaves it to `headers`. Default `length`. */
  readonly framing?: 'length' | 'chunked' | 'none';
  /** Sent after a chunked body. */
  readonly trailers?: readonly HeaderLine[];
}

/** A reply as it came over the wire, without what a server adds of its own accord. */
export interface RawReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawConnection {
  /** Writes the pieces one after the other, each in a packet of its own. What a closed connection does not take is lost. */
  write(...pieces: readonly (Uint8Array | string)[]): Promise<void>;
  /** The next reply that is not interim. Rejects when the connection ends before it. */
  reply(method?: string): Promise<RawReply>;
  /** The next interim reply's status. */
  interim(): Promise<number>;
  readonly closed: Promise<unknown>;
  destroy(): void;
}

const OF_THE_SERVER = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding', 'x-powered-by']);

/** Sends what no HTTP client would send, and reads the reply. Rejects when there is none. */
export async function sendRaw(url: string, request: RawRequest = {}): Promise<RawReply> {
  const connection = await openRaw(url);
  try {
    const sent = connection.write(headOf(url, request), ...framed(request));
    const reply = await connection.reply(request.method);
    connection.destroy();
    await sent;
    return reply;
  } finally {
    connection.destroy();
  }
}

/** The request line and the headers. */
export function headOf(url: string, request: RawRequest): Buffer {
  const { pathname, host } = new URL(url);
  const { method = 'POST', target = pathname, headers = [], pieces = [], framing = 'length' } = request;
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `host: ${host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  if (framing === 'length') lines.push(`content-length: ${bytes}`);
  if (framing === 'chunked') lines.push('transfer-encoding: chunked');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** What follows the head, framed. */
export function framed({ pieces = [], framing, trailers = [] }: RawRequest): Uint8Array[] {
  if (framing !== 'chunked') return [...pieces];
  const end = `0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return [...pieces.map(chunkOf), Buffer.from(end)];
}

/** One chunk of the chunked transfer coding. */
export function chunkOf(piece: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
}

export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  // What a reset takes away shows as a missing reply.
  socket.on('error', () => undefined);
  const incoming = readFrom(socket);
  return {
    async write(...pieces) {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)));
      }
    },
    async reply(method = 'POST') {
      for (;;) {
        const reply = await incoming.next(method);
        if (reply.status >= 200) return reply;
      }
    },
    interim: async () => (await incoming.next('POST')).status,
    closed: new Promise((resolve) => socket.once('close', resolve)),
    destroy: () => socket.destroy(),
  };
}

function readFrom(socket: Socket): { next(method: string): Promise<RawReply> } {
  let received = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  socket.on('data', (data) => {
    received = Buffer.concat([received, data]);
    wake();
  });
  socket.on('close', () => {
    ended = true;
    wake();
  });
  return {
    async next(method) {
      for (;;) {
        const parsed = parseReply(received, method, ended);
        if (parsed) {
          received = received.subarray(parsed.length);
          return parsed.reply;
        }
        if (ended) throw new Error(`The connection ended without a reply, after ${received.length} bytes of one.`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function parseReply(raw: Buffer, method: string, ended: boolean): { reply: RawReply; length: number } | undefined {
  const headEnd = raw.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [statusLine = '', ...lines] = raw.toString('latin1', 0, headEnd).split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const all = headersOf(lines);
  const start = headEnd + 4;
  const body = method === 'HEAD' || status < 200 ? { text: '', end: start } : readBody(raw, start, all, ended);
  if (!body) return undefined;
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => !OF_THE_SERVER.has(name)));
  return { reply: { status, headers, body: body.text }, length: body.end };
}

// A header that came twice shows as a list, and fails any comparison.
function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

function readBody(
  raw: Buffer,
  start: number,
  headers: Readonly<Record<string, string>>,
  ended: boolean,
): { text: string; end: number } | undefined {
  if (headers['transfer-encoding'] === 'chunked') return readChunks(raw, start);
  const announced = headers['content-length'];
  if (announced === undefined && !ended) return undefined;
  const end = announced === undefined ? raw.length : start + Number(announced);
  return raw.length < end ? undefined : { text: raw.toString('utf8', start, end), end };
}

function readChunks(raw: Buffer, start: number): { text: string; end: number } | undefined {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(raw.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (raw.length < end + 2) return undefined;
    parts.push(raw.subarray(lineEnd + 2, end));
    at = end + 2;
    if (size === 0) return { text: Buffer.concat(parts).toString(), end: at };
  }
}
