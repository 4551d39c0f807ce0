import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { webhookEventSchemas } from '@pathfinder/webhooks';
import * as z from 'zod';
import { SECRET } from '../usual.ts';

/** What a route answers: a status is all that these compare. */
export type Receive = (body: Uint8Array, signature: string | null | undefined) => number | Promise<number>;

const MAX_BODY_BYTES = 1_048_576;
const RETENTION_MS = 7 * 86_400_000;
const DIGEST = /^sha256=[0-9a-f]{64}$/;

/** Verification alone, as most receivers have it. */
export function hmacAlone(body: Uint8Array, signature: string | null | undefined): number {
  return isSigned(body, signature) ? 200 : 401;
}

/** What the package does for a delivery, in the fewest lines that do it: verify, parse, validate, dedupe, dispatch. */
export function pipelineByHand(handler: (event: unknown) => unknown): Receive {
  const envelope = z.looseObject({
    id: z.string().min(1).max(255),
    type: z.string().min(1).max(128),
    api_version: z.string(),
    created: z.int().positive(),
    data: webhookEventSchemas['user.created'],
  });
  const remembered = new Map<string, number>();
  return async (body, signature) => {
    if (body.length > MAX_BODY_BYTES) return 413;
    if (!isSigned(body, signature)) return 401;
    let json: unknown;
    try {
      json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    } catch {
      return 400;
    }
    const { success, data: event } = envelope.safeParse(json);
    if (!success) return 422;
    if ((remembered.get(event.id) ?? 0) > Date.now()) return 200;
    remembered.set(event.id, Date.now() + RETENTION_MS);
    try {
      await handler(event);
      return 200;
    } catch {
      remembered.delete(event.id);
      return 500;
    }
  };
}

/** The body of a request of node:http, as far as it may go. */
export function readByHand(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    request.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size <= MAX_BODY_BYTES) pieces.push(piece);
      else request.destroy();
    });
    request.on('end', () => resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)));
    request.on('error', reject);
  });
}

function isSigned(body: Uint8Array, signature: string | null | undefined): boolean {
  if (!signature || !DIGEST.test(signature)) return false;
  const expected = createHmac('sha256', SECRET).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(signature.slice(7), 'hex'));
}
