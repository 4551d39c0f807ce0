import type { Context } from '../../support/context.ts';
import { explain, shown } from '../../support/explain.ts';
import { CliError, EXIT } from '../../support/failure.ts';
import { parseJson } from '../../support/json.ts';
import type { Part } from '../../support/printer.ts';
import type { Sending } from './deliver-all.ts';

const MOST_LINES = 40;

/**
 * Says what came of what was sent.
 *
 * @param signedWith - Where the secret came from, in words; `undefined` for what was sent as it had been saved.
 * @returns The exit code: 4 when something got no reply, 1 when something was refused.
 */
export function report(context: Context, url: URL, sendings: readonly Sending[], signedWith?: string): number {
  const { printer } = context;
  const documents = sendings.map((sending) => documentOf(sending, url));
  const [first] = sendings;
  if (sendings.length === 1 && first) {
    printer.data(documents[0]);
    return reportOne(context, url, first, signedWith);
  }
  const accepted = documents.filter(({ ok }) => ok).length;
  const ok = accepted === sendings.length;
  printer.data({ ok, sent: sendings.length, accepted, ms: latencies(sendings), results: documents });
  for (const sending of sendings.slice(0, MOST_LINES)) printer.line(...lineOf(sending, url));
  if (sendings.length > MOST_LINES) printer.line(['dim', `… and ${sendings.length - MOST_LINES} more`]);
  printer.line(`${accepted} of ${sendings.length} accepted`, ['dim', `  ${inWords(latencies(sendings))}`]);
  return exitOf(context, url, sendings);
}

function reportOne(context: Context, url: URL, sending: Sending, signedWith = 'the saved signature'): number {
  const { printer } = context;
  const { label, bytes } = sending.outgoing;
  printer.line(['cyan', '→ '], `POST ${url.href}  ${label}  `, ['dim', `(${bytes} bytes, ${signedWith})`]);
  if (sending.reply) {
    const { status, ms } = sending.reply;
    printer.line(['cyan', '← '], `${status} in ${Math.round(ms)} ms  `, ['dim', shown(sending.reply)]);
    const { ok, text } = explain(sending.reply, url);
    if (ok) printer.line(['green', '✓ '], text);
  }
  return exitOf(context, url, [sending]);
}

function lineOf({ outgoing, reply, error }: Sending, url: URL): readonly Part[] {
  const ok = reply !== undefined && explain(reply, url).ok;
  const said = reply ? `${reply.status} in ${Math.round(reply.ms)} ms` : (error?.message ?? '');
  return [ok ? ['green', '✓ '] : ['red', '✗ '], `${outgoing.label}  `, ['dim', said]];
}

// The first of each kind of failure is told, with its cure.
function exitOf({ printer }: Context, url: URL, sendings: readonly Sending[]): number {
  const failures = new Map<string, CliError>();
  for (const { reply, error } of sendings) {
    const failure = error ?? (reply && refusal(reply, url));
    if (failure && !failures.has(failure.code)) failures.set(failure.code, failure);
  }
  for (const failure of failures.values()) printer.failure(failure);
  return Math.max(EXIT.ok, ...[...failures.values()].map(({ exitCode }) => exitCode));
}

function refusal(reply: NonNullable<Sending['reply']>, url: URL): CliError | undefined {
  const { ok, code, text, fix } = explain(reply, url);
  return ok ? undefined : new CliError('no', code, text, fix);
}

function documentOf({ outgoing, reply, error }: Sending, url: URL) {
  const { id, type, bytes } = outgoing;
  const explained = reply && explain(reply, url);
  return {
    ok: explained?.ok ?? false,
    event: { id, type },
    request: { url: url.href, bytes },
    ...(reply && { response: { status: reply.status, ms: Math.round(reply.ms), body: jsonOrText(reply.body) } }),
    ...(!explained?.ok && { error: explained?.code ?? error?.code }),
  };
}

function jsonOrText(body: Buffer): unknown {
  const text = body.toString('utf8');
  const value = parseJson(text);
  return value === undefined ? text : value;
}

interface Latencies {
  readonly median: number;
  readonly p95: number;
  readonly most: number;
}

function latencies(sendings: readonly Sending[]): Latencies | undefined {
  const sorted = sendings.flatMap(({ reply }) => reply?.ms ?? []).sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
  return sorted.length > 0 ? { median: at(0.5), p95: at(0.95), most: at(1) } : undefined;
}

function inWords(ms: Latencies | undefined): string {
  return ms ? `median ${ms.median} ms, 95 % within ${ms.p95} ms, at most ${ms.most} ms` : '';
}
