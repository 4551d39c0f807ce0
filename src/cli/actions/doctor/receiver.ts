import { signedRequest } from '../../../testing/index.ts';
import type { Context } from '../../support/context.ts';
import { exchange, type Incoming, type Outgoing } from '../../support/exchange.ts';
import { explain } from '../../support/explain.ts';
import { CliError } from '../../support/failure.ts';
import type { Setting } from '../../support/settings.ts';
import { signRaw } from '../../support/sign-raw.ts';
import type { NoteCheck } from './check.ts';

/** No handler of a real type runs for it, so that looking has no effect. */
const TYPE = 'pathfinder.doctor';
const LARGE_BYTES = 500_000;

interface Target {
  readonly url: URL;
  readonly secret: readonly Setting[];
  readonly timeoutMs: number;
}

type Ask = (request: Outgoing) => Promise<Answer>;

/** A reply, or status 0 and why there is none: a receiver that crashes is a finding, and not the end of the search. */
interface Answer {
  readonly status: number;
  /** In words. */
  readonly said: string;
}

/** Sends a receiver what is right and what is wrong, and looks at its answers. */
export async function checkReceiver({ terminal }: Context, target: Target, note: NoteCheck): Promise<void> {
  const { url, secret: secrets, timeoutMs } = target;
  const [current] = secrets;
  if (!current) return;
  const send = (request: Outgoing) => exchange(url, request, { timeoutMs, signal: terminal.signal });
  const ask: Ask = (request) => send(request).then(answerOf, noAnswer);
  const event = eventOf();
  const signed = (secret: string) => signedRequest(event, { secret, url });
  const first = await reach(() => send(signed(current.value)), url, note);
  if (!first) return;
  let accepted = isAccepted(first);
  let secret = current;
  if (!accepted && isUnauthorized(first)) {
    for (const other of secrets.slice(1)) {
      if (isAccepted(await ask(signed(other.value)))) [accepted, secret] = [true, other];
    }
  }
  if (!accepted) {
    noteRefused(first, url, note);
    return;
  }
  note({ id: 'signature', state: 'ok', detail: `a signed event was accepted with ${secret.source}` });
  await checkRawBody(ask, secret.value, url, note);
  await checkForgeries(ask, signed(secret.value), note);
  await checkDuplicate(ask, signed(secret.value), note);
  await checkLarge(ask, secret.value, url, note);
}

async function reach(send: () => Promise<Incoming>, url: URL, note: NoteCheck): Promise<Incoming | undefined> {
  try {
    const reply = await send();
    note({ id: 'reachable', state: 'ok', detail: `${url.href} answered in ${Math.round(reply.ms)} ms` });
    return reply;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    note({ id: 'reachable', state: 'problem', detail: error.message, fix: error.fix });
    return undefined;
  }
}

function noteRefused(reply: Incoming, url: URL, note: NoteCheck): void {
  const { code, text, fix } = explain(reply, url);
  const isSignature = code === 'invalid_signature';
  note({
    id: code === 'body_already_parsed' ? 'raw_body' : 'signature',
    state: 'problem',
    detail: text,
    fix: isSignature
      ? 'Give your app this very secret. If it has it: nothing may parse the body before the webhook route.'
      : fix,
  });
}

// White space, an escape that no serialiser writes, and keys out of order: what comes out of a parser is not the same.
async function checkRawBody(ask: Ask, secret: string, url: URL, note: NoteCheck): Promise<void> {
  const { id, created } = eventOf();
  const body = `{ "type":"${TYPE}",\n  "id" : "${id}", "api_version":"1.0", "created":${created}, "data":{ "\\u0061":1.0 } }\n`;
  if (isAccepted(await ask(signRaw(Buffer.from(body), secret, url)))) {
    note({ id: 'raw_body', state: 'ok', detail: 'the raw bytes are what is hashed' });
    return;
  }
  const fix = 'Mount the webhook route before express.json() and the like: the signature covers the raw bytes.';
  note({
    id: 'raw_body',
    state: 'problem',
    detail: 'a body with its own white space was refused: the app hashes a body that it has serialised again',
    fix,
  });
}

async function checkForgeries(
  ask: Ask,
  { headers, body, ...request }: ReturnType<typeof signedRequest>,
  note: NoteCheck,
): Promise<void> {
  const unsigned = request.unsigned();
  const forgeries = {
    'an altered body': request.tampered(),
    'no signature': unsigned,
    'a short signature': { headers: { ...headers, 'x-pathfinder-signature': 'sha256=00' }, body },
  };
  for (const [what, { headers, body }] of Object.entries(forgeries)) {
    const { status, said } = await ask({ headers, body });
    if (status >= 400 && status < 500) continue;
    const fix =
      status >= 500 || status === 0
        ? 'Compare lengths before timingSafeEqual, and answer 401.'
        : 'Answer 401 unless the signature is right.';
    note({ id: 'forgery', state: 'problem', detail: `${what} was answered ${said}`, fix });
    return;
  }
  note({ id: 'forgery', state: 'ok', detail: 'forgeries are refused' });
}

async function checkDuplicate(ask: Ask, delivery: ReturnType<typeof signedRequest>, note: NoteCheck): Promise<void> {
  await ask(delivery);
  const again = await ask(delivery.duplicate());
  if (isAccepted(again)) note({ id: 'duplicate', state: 'ok', detail: 'a duplicate is accepted' });
  else
    note({
      id: 'duplicate',
      state: 'problem',
      detail: `a duplicate was answered ${again.said}`,
      fix: 'Answer 200: the sender repeats what is refused.',
    });
}

async function checkLarge(ask: Ask, secret: string, url: URL, note: NoteCheck): Promise<void> {
  const body = Buffer.from(JSON.stringify({ ...eventOf(), data: { filler: 'x'.repeat(LARGE_BYTES) } }));
  const large = await ask(signRaw(body, secret, url));
  if (isAccepted(large)) note({ id: 'body_limit', state: 'ok', detail: 'half a megabyte gets through' });
  else
    note({
      id: 'body_limit',
      state: 'problem',
      detail: `half a megabyte was answered ${large.said}`,
      fix: 'Raise the limit of the proxy or of the body parser to 1 MiB.',
    });
}

function eventOf() {
  const id = `evt_test_${crypto.randomUUID().replaceAll('-', '')}`;
  return { id, type: TYPE, api_version: '1.0', created: Math.floor(Date.now() / 1000), data: {} };
}

function answerOf(reply: Incoming): Answer {
  return { status: reply.status, said: String(reply.status) };
}

function noAnswer(error: unknown): Answer {
  if (!(error instanceof CliError)) throw error;
  return { status: 0, said: `with nothing (${error.message.replace(/\.$/, '')})` };
}

function isAccepted({ status }: Pick<Incoming, 'status'>): boolean {
  return status >= 200 && status < 300;
}

function isUnauthorized({ status }: Incoming): boolean {
  return status === 401 || status === 400 || status === 403;
}
