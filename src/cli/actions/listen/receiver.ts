import type { IncomingMessage, ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import type { Context } from '../../support/context.ts';
import { fileProblem } from '../../support/files.ts';
import { readTarget } from '../../support/target.ts';
import { examine } from './examine.ts';
import { createForwarder } from './forward.ts';
import { keptHeaders } from './headers.ts';
import { isAllowedHost } from './host.ts';
import { type ListenOptions, PATH } from './options.ts';
import { readBody } from './read-body.ts';
import { answer, reply, statusOf } from './reply.ts';
import { createSaver, type KnownOfDelivery } from './save.ts';
import { type Delivered, show } from './show.ts';

const MAX_BODY_BYTES = 1_048_576;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_KEEP = 200;

interface Receiving {
  readonly options: ListenOptions;
  readonly secrets: readonly string[];
  readonly target: URL | undefined;
  readonly signal: AbortSignal;
  /** Ends the command. */
  readonly finish: () => void;
}

/** Takes requests: one after the other is examined, sent on, saved, answered and shown. */
export function createReceiver(context: Context, { options, secrets, target, signal, finish }: Receiving) {
  const { concurrency = 1, timeout: timeoutMs = DEFAULT_TIMEOUT_MS, allowRemote = false } = options;
  const forward = target && createForwarder({ url: target, allowRemote, concurrency, timeoutMs, signal });
  const save = saverFor(context, options);
  const countDown = counter(options.count, finish);

  return async (request: IncomingMessage, response: ServerResponse, port: number): Promise<void> => {
    const receivedAt = new Date().toISOString();
    const startedAtMs = performance.now();
    const body = await admit(request, response, port, options.allowHost ?? []);
    if (!body) return;
    const examined = examine(body, request.headers, secrets, options.verify);
    const passes = examined.refused === undefined && isWanted(examined.type, options.events);
    const forwarded = passes && forward ? await forward(body, request.headers) : undefined;
    const status = statusOf(examined, forwarded);
    const label = [examined.type, examined.id].filter(Boolean).join('-') || 'delivery';
    const file = passes ? save(request, body, { label, receivedAt, replyStatus: status }) : undefined;
    const ms = Math.round(performance.now() - startedAtMs);
    const delivered: Delivered = { at: receivedAt, examined, status, ms, bytes: body.length, forwarded, file };
    reply(response, status, examined, forwarded);
    if (passes || examined.refused !== undefined) show(context, delivered);
    countDown(response);
  };
}

/** Calls `finish` once so many replies are closed. */
function counter(count: number | undefined, finish: () => void): (response: ServerResponse) => void {
  let left = count ?? Number.POSITIVE_INFINITY;
  return (response) => {
    if (--left > 0) return;
    // A sender that has hung up meanwhile has closed its reply already.
    if (response.closed) finish();
    else response.once('close', finish);
  };
}

/** The body of a request that may be a delivery; any other one is answered here. */
async function admit(
  request: IncomingMessage,
  response: ServerResponse,
  port: number,
  allowedHosts: readonly string[],
): Promise<Buffer | undefined> {
  if (!isAllowedHost(request.rawHeaders, port, allowedHosts)) answer(response, 403, 'host_not_allowed');
  else if (request.method !== 'POST') answer(response, 405, 'method_not_allowed', { allow: 'POST' });
  else {
    const body = await readBody(request, MAX_BODY_BYTES);
    if (body) return body;
    answer(response, 413, 'body_too_large', { connection: 'close' });
  }
  return undefined;
}

function isWanted(type: string | undefined, wanted: readonly string[] | undefined): boolean {
  if (!wanted) return true;
  return wanted.some((pattern) => (pattern.endsWith('*') ? type?.startsWith(pattern.slice(0, -1)) : pattern === type));
}

type Save = (request: IncomingMessage, body: Buffer, known: KnownOfDelivery) => string | undefined;

function saverFor(
  { terminal, printer }: Context,
  { save: folder, keep = DEFAULT_KEEP, forwardTo }: ListenOptions,
): Save {
  if (folder === undefined) return () => undefined;
  const url = forwardTo === undefined ? `http://localhost:3000${PATH}` : readTarget(forwardTo, '--forward-to').href;
  const save = createSaver(resolve(terminal.cwd, folder), keep);
  return (request, body, known) => {
    try {
      return save({ url, method: 'POST', headers: keptHeaders(request.headers), body: Buffer.from(body) }, known);
    } catch (error) {
      // A disk that is full must not keep a delivery from its app.
      printer.warn(`A delivery could not be saved in ${folder}: ${fileProblem(error)}.`);
      return undefined;
    }
  };
}
