import type { ServerResponse } from 'node:http';
import type { Examined } from './examine.ts';
import type { Forwarded } from './forward.ts';

const SIGNATURE_VERDICTS = ['missing_signature', 'malformed_signature', 'signature_mismatch'];

/** The status that a delivery is answered with. */
export function statusOf({ refused }: Examined, forwarded: Forwarded | undefined): number {
  if (refused !== undefined) return refused;
  if (!forwarded) return 200;
  return 'reply' in forwarded ? forwarded.reply.status : 502;
}

/** Answers a delivery: what the app has answered, if it was sent on, else what this package would. */
export function reply(
  response: ServerResponse,
  status: number,
  examined: Examined,
  forwarded: Forwarded | undefined,
): void {
  if (forwarded && 'reply' in forwarded) {
    const { headers, body } = forwarded.reply;
    const kept = ['content-type', 'retry-after'].flatMap((name) => (headers[name] ? [[name, headers[name]]] : []));
    response.writeHead(status, Object.fromEntries(kept)).end(body);
  } else if (status === 200) {
    answer(response, 200);
  } else {
    const code = SIGNATURE_VERDICTS.includes(examined.verdict) ? 'invalid_signature' : examined.verdict;
    answer(response, status, forwarded ? 'forward_failed' : code);
  }
}

/** Answers with a code, or with success. */
export function answer(
  response: ServerResponse,
  status: number,
  error?: string,
  headers: Record<string, string> = {},
): void {
  const body = error ? { success: false, error } : { success: true, status: 'processed', processed: 0, failed: 0 };
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(JSON.stringify(body));
}
