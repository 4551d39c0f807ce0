import { isError } from '../shared/realm.ts';

/** What to post, and for how long to wait for what. @internal */
export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | (Uint8Array & { readonly buffer: ArrayBuffer });
  /** Milliseconds until the whole reply has to be there. */
  readonly timeoutMs: number;
  /** Of the reply; the rest is not read. */
  readonly maxReplyBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** A reply, its body as text. @internal */
export interface PostReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Posts exact bytes, follows no redirect, and rejects with a `PostError` when there is no reply in time. @internal */
export async function post(url: string, options: PostOptions): Promise<PostReply> {
  const { headers, body, timeoutMs, maxReplyBytes } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  try {
    const response = await fetch(url, { method: 'POST', redirect: 'manual', headers: { ...headers }, body, signal });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await readStart(response, maxReplyBytes),
    };
  } catch (error) {
    if (options.signal?.aborted) throw new PostError('aborted', 'The request was aborted');
    if (timeout.aborted) throw new PostError('timeout', `No whole reply within ${timeoutMs} ms`);
    throw new PostError('unreachable', networkReason(error));
  }
}

/** Why there is no reply. Carries nothing of the request. @internal */
export class PostError extends Error {
  readonly reason: 'timeout' | 'unreachable' | 'aborted';

  constructor(reason: PostError['reason'], message: string) {
    super(message);
    this.name = 'PostError';
    this.reason = reason;
  }
}

async function readStart(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  while (reader && bytes < maxBytes) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    bytes += value.length;
  }
  await reader?.cancel();
  return Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8');
}

// Node's fetch says "fetch failed" and hides what happened in the causes.
function networkReason(error: unknown): string {
  const reasons: string[] = [];
  for (let at = error; isError(at) && reasons.length < 4; at = at.cause) {
    const inner = at instanceof AggregateError ? at.errors.map(String).join('; ') : at.message;
    if (inner) reasons.push(inner);
  }
  return reasons.join(': ') || 'The network failed';
}
