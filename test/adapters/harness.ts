import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import {
  memoryStore,
  type WebhookDelivery,
  WebhookHandler,
  type WebhookHandlerOptions,
  type WebhookLogger,
  type WebhookReceiver,
  type WebhookReply,
  type WebhookStore,
} from '@pathfinder/webhooks';
import { type LogLine, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { openRaw, type RawConnection, type RawReply, type RawRequest, sendRaw } from './raw-client.ts';

/** A receiver that is being served. */
export interface Mounted {
  /** The whole URL of the webhook's route. */
  readonly url: string;
  /** The reply without what the framework adds of its own accord. Default: as it came. */
  readonly withoutOwn?: (reply: RawReply) => RawReply;
  close(): Promise<void>;
}

export interface MountOptions {
  /** The body parser to put before the route, by its name among the adapter's traits. */
  readonly parser?: string | undefined;
  /** Where the case looks for log lines, for a framework that gives each request a logger. */
  readonly logger: WebhookLogger;
}

/** Serves a receiver through an adapter on a free port. */
export type Mount = (webhooks: WebhookReceiver, options: MountOptions) => Promise<Mounted>;

/** A body parser that an application may have put before the route. */
export interface ParserTrait {
  readonly name: string;
  /** Whether it reads bodies of this content type. */
  takes(contentType: string | undefined): boolean;
  /** Whether the bytes can be had from it. */
  readonly keepsBytes: boolean;
}

/** In what adapters differ by their framework's doing. */
export interface AdapterTraits {
  /** Default none. */
  readonly parsers?: readonly ParserTrait[];
  /** Serves one receiver at a time, so that no two cases may run side by side. */
  readonly alone?: true;
  /** Methods that the framework's router answers by itself. Default none. */
  readonly methodsOfTheRouter?: readonly string[];
}

/** One behaviour that every adapter has. */
export interface AdapterCase {
  readonly name: string;
  /** Takes a second or more, for nothing but a timer. */
  readonly waits?: true;
  run(bench: Bench): Promise<void>;
}

export interface Bench {
  /** A `WebhookHandler` of these options, mounted until the case is over. */
  serve(options?: ServeOptions): Promise<Served>;
}

export interface ServeOptions extends Partial<WebhookHandlerOptions> {
  /** Registers handlers. Default: one for every type, which succeeds. */
  readonly register?: (webhooks: WebhookHandler) => unknown;
  readonly parser?: string;
}

export interface Served {
  readonly url: string;
  readonly webhooks: WebhookHandler;
  readonly log: readonly LogLine[];
  /** Runs of handlers so far. Counts only the default handler's. */
  runs(): number;
  /** SHA-256 of each body that reached the receiver whole. */
  readonly hashes: readonly string[];
  /** The receiver was called: its request has begun. */
  arrival(): Promise<unknown>;
  /** As many receptions as given have their reply. */
  answers(count: number): Promise<readonly WebhookReply[]>;
  send(request?: RawRequest): Promise<RawReply>;
  open(): Promise<RawConnection>;
}

/** Runs one case against an adapter; rejects if it fails, or after `mostMs`. */
export async function runCase({ run }: AdapterCase, mount: Mount, mostMs = 15_000): Promise<void> {
  const mounted: Mounted[] = [];
  const close = () => Promise.all(mounted.splice(0).map((one) => one.close()));
  let isLate = false;
  // Whatever the case waits for on a connection ends with it.
  const late = setTimeout(() => {
    isLate = true;
    return close();
  }, mostMs);
  try {
    await run({
      async serve(options = {}) {
        const served = await serveOn(mount, options);
        mounted.push(served.mounted);
        return served;
      },
    });
  } finally {
    clearTimeout(late);
    await close();
  }
  if (isLate) throw new Error(`The case took over ${mostMs} ms.`);
}

async function serveOn(
  mount: Mount,
  { register, parser, ...options }: ServeOptions,
): Promise<Served & { readonly mounted: Mounted }> {
  const logger = recordingLogger();
  const webhooks = new WebhookHandler({ secret: SECRET, logger, retry: { attempts: 1 }, ...options });
  let runs = 0;
  if (register) register(webhooks);
  else webhooks.on('*', () => void runs++);
  const watched = watch(webhooks);
  const mounted = await mount(watched, { parser, logger });
  const { url, withoutOwn = (reply: RawReply) => reply } = mounted;
  return {
    mounted,
    url,
    webhooks,
    log: logger.lines,
    runs: () => runs,
    hashes: watched.hashes,
    arrival: watched.arrival,
    answers: watched.answers,
    send: async (request) => withoutOwn(await sendRaw(url, request)),
    async open() {
      const connection = await openRaw(url);
      return { ...connection, reply: async (method?: string) => withoutOwn(await connection.reply(method)) };
    },
  };
}

// The receiver as it is, seen from the side.
function watch(webhooks: WebhookReceiver) {
  const events = new EventEmitter().setMaxListeners(1000);
  const hashes: string[] = [];
  const replies: WebhookReply[] = [];
  return {
    limits: webhooks.limits,
    admit: webhooks.admit.bind(webhooks),
    async receive(delivery: WebhookDelivery | Promise<WebhookDelivery>, logger?: WebhookLogger) {
      events.emit('arrival');
      const read = Promise.resolve(delivery).then((whole) => {
        hashes.push(sha256(whole.body));
        return whole;
      });
      const reply = await webhooks.receive(read, logger);
      replies.push(reply);
      events.emit('answer');
      return reply;
    },
    hashes,
    arrival: () => once(events, 'arrival'),
    async answers(count: number) {
      while (replies.length < count) await once(events, 'answer');
      return replies;
    },
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A delivery with its own signature, in one piece. */
export function signed(body: Uint8Array, more: RawRequest = {}): RawRequest {
  return withSignature(sign(body), body, more);
}

/** A delivery that somebody without the secret signed. */
export function forged(body: Uint8Array, more: RawRequest = {}): RawRequest {
  return withSignature(sign(body, 'a guess'), body, more);
}

/** A delivery with this in its signature header. */
export function withSignature(signature: string, body: Uint8Array, more: RawRequest = {}): RawRequest {
  return { pieces: [body], ...more, headers: [['x-pathfinder-signature', signature], ...(more.headers ?? [])] };
}

export function piecesOf(body: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(body.length / size) }, (_, i) => body.subarray(i * size, (i + 1) * size));
}

export function storeWith(parts: Partial<WebhookStore>): WebhookStore {
  return { ...memoryStore(), ...parts };
}

/** The whole reply to a delivery that was verified. */
export function accepted(status: string, processed = 0, failed = 0): RawReply {
  const code = status === 'failed' ? 500 : status === 'queued' ? 202 : 200;
  const body = `{"success":${status !== 'failed'},"status":"${status}","processed":${processed},"failed":${failed}}`;
  return replyOf(code, body);
}

const STATUS = {
  invalid_signature: 401,
  invalid_json: 400,
  invalid_envelope: 400,
  too_old: 400,
  too_new: 400,
  invalid_data: 422,
  method_not_allowed: 405,
  body_timeout: 408,
  body_too_large: 413,
  unsupported_encoding: 415,
  id_conflict: 409,
  body_already_parsed: 500,
  in_progress: 503,
  store_unavailable: 503,
  queue_unavailable: 503,
  secret_unavailable: 503,
} as const;

/** The whole reply to a delivery that was refused, as the reply table has it. */
export function refused(error: keyof typeof STATUS): RawReply {
  const status = STATUS[error];
  const extra = status === 405 ? { allow: 'POST' } : status === 503 ? { 'retry-after': '5' } : {};
  return replyOf(status, `{"success":false,"error":"${error}"}`, extra);
}

function replyOf(status: number, body: string, extra: Readonly<Record<string, string>> = {}): RawReply {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...extra,
    'content-length': String(Buffer.byteLength(body)),
  };
  return { status, headers, body };
}
