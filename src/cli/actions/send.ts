import { type AnyWebhookEvent, WEBHOOK_EVENT_TYPES } from '../../index.ts';
import { curlOf } from '../../testing/fixtures/delivery-request.ts';
import { type DeliveryRequest, signedRequest } from '../../testing/index.ts';
import type { Context } from '../support/context.ts';
import { checkData, checkEventType, composeEvent, readData } from '../support/event-input.ts';
import { EXIT, usage } from '../support/failure.ts';
import { readInput } from '../support/files.ts';
import { namesIn } from '../support/json.ts';
import { readSaved } from '../support/saved.ts';
import { readSecret, type Setting } from '../support/settings.ts';
import { signRaw } from '../support/sign-raw.ts';
import { targetOf } from '../support/target.ts';
import { deliverAll } from './send/deliver-all.ts';
import type { Outgoing } from './send/outgoing.ts';
import { report } from './send/report.ts';

export interface SendOptions {
  readonly to?: string;
  readonly all?: boolean;
  readonly data?: string;
  readonly override?: readonly string[];
  readonly file?: string;
  readonly raw?: string;
  readonly resign?: boolean;
  readonly id?: string;
  readonly repeat?: number;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly duplicate?: boolean;
  readonly tamper?: 'body' | 'signature';
  readonly signature: boolean;
  readonly validate: boolean;
  readonly header?: readonly string[];
  readonly timeout?: number;
  readonly curl?: boolean;
}

/** Sends signed events to a receiver, and says what it answered. */
export async function send(context: Context, options: SendOptions, type?: string): Promise<number> {
  checkOptions(options, type);
  const { printer, settings } = context;
  const url = targetOf(options.to, settings);
  const { make, secret } = await plan(context, options, type, url);
  const count = options.all ? WEBHOOK_EVENT_TYPES.length : (options.repeat ?? 1);
  if (options.curl) {
    for (let i = 0; i < count; i++) {
      const curl = curlOf({ ...make(i), url: url.href });
      printer.raw(`${curl}\n`);
      printer.data({ curl });
    }
    return EXIT.ok;
  }
  const sendings = await deliverAll(context, { url, count, make, ...options });
  return report(context, url, sendings, secret?.source);
}

interface Plan {
  /** The delivery with this number, from 0. */
  readonly make: (index: number) => Outgoing;
  /** The secret that signs; `undefined` for bytes with a signature of their own. */
  readonly secret: Setting | undefined;
}

async function plan(context: Context, options: SendOptions, type: string | undefined, url: URL): Promise<Plan> {
  if (options.file !== undefined && !options.resign) {
    const saved = await readSaved(context.terminal, options.file);
    return { make: () => altered({ ...saved, ...nameOf(saved.body, options.file) }, options), secret: undefined };
  }
  const secret = await readSecret(context.terminal, context.settings, context.globals, context.printer);
  const path = options.file ?? options.raw;
  if (path !== undefined) {
    const saved = options.file === undefined ? undefined : await readSaved(context.terminal, options.file);
    const body = saved?.body ?? (await readInput(context.terminal, path));
    const signed = signRaw(body, secret.value, url, saved?.headers);
    return { make: () => altered({ ...signed, ...nameOf(body, path) }, options), secret };
  }
  const data = options.data === undefined ? undefined : await readData(context.terminal, options.data);
  const names = options.all ? WEBHOOK_EVENT_TYPES : [type ?? ''];
  const make = (index: number) => {
    const event = composeEvent(names[index % names.length] ?? '', { data, overrides: options.override });
    if (options.validate) checkData(event);
    return altered(signedOf(event, secret, url, options), options);
  };
  // Bad input is refused before anything is sent.
  make(0);
  return { make, secret };
}

function signedOf(event: AnyWebhookEvent, secret: Setting, url: URL, { id }: SendOptions): Outgoing {
  const signed = signedRequest(event, { secret: secret.value, url, ...(id !== undefined && { id }) });
  const { id: sentId, type } = signed.event;
  return { ...signed, label: `${type}  ${sentId}`, id: String(sentId), type: String(type) };
}

// The bytes are the user's own, so they are read only to name them.
function nameOf(body: Uint8Array, path: string | undefined): Pick<Outgoing, 'label' | 'id' | 'type'> {
  const names = namesIn(body);
  const label = [names.type, names.id].filter(Boolean).join('  ');
  return { label: label || (path === '-' ? 'stdin' : (path ?? '')), ...names };
}

const SIGNATURE = 'x-pathfinder-signature';

/** The delivery as the options for forgeries and headers want it. */
function altered(outgoing: Outgoing, { tamper, signature, header = [] }: SendOptions): Outgoing {
  const headers: Record<string, string> = { ...outgoing.headers };
  if (tamper === 'signature' && headers[SIGNATURE]) headers[SIGNATURE] = flipLast(headers[SIGNATURE]);
  if (!signature) delete headers[SIGNATURE];
  for (const text of header) {
    const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~\w-]+):\s*([\t\x20-\x7e]*)$/.exec(text) ?? [];
    if (!name) throw usage('--header is no header.', 'Pass a name and a value, such as --header x-tenant:acme.');
    headers[name.toLowerCase()] = value;
  }
  const body = tamper === 'body' ? flipBody(outgoing.body) : outgoing.body;
  return { ...outgoing, headers, body };
}

function flipLast(text: string): string {
  return `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`;
}

// A space more is JSON still, and another body.
function flipBody(body: Uint8Array): DeliveryRequest['body'] {
  return Buffer.concat([body, Buffer.from(' ')]);
}

const KINDS = ['all', 'file', 'raw'] as const;

function checkOptions(options: SendOptions, type: string | undefined): void {
  const kinds = [type !== undefined && 'an event', ...KINDS.map((kind) => options[kind] !== undefined && `--${kind}`)];
  const given = kinds.filter((kind) => kind !== false);
  if (given.length !== 1) {
    const what = given.length === 0 ? 'There is nothing to send.' : `${given.join(' and ')} exclude each other.`;
    throw usage(what, 'Name one event, such as user.created, or pass --all, --file or --raw.');
  }
  if (type !== undefined && options.data === undefined) {
    checkEventType(type, 'See `pathfinder-webhooks events`. A type of your own needs --data.');
  }
  if (type === undefined) checkNoEventOptions(options);
  if (options.resign && options.file === undefined) throw usage('--resign needs --file.', 'Pass both.');
  if (options.all && options.repeat !== undefined) throw usage('--all and --repeat exclude each other.', 'Pass one.');
  if (options.id === '') throw usage('--id is empty.', 'Pass an id, or leave it away.');
}

// Options that change an event have nothing to change in bytes that are sent as they are.
function checkNoEventOptions({ data, override, id }: SendOptions): void {
  const given = Object.entries({ data, override, id }).filter(([, value]) => value !== undefined);
  if (given.length === 0) return;
  const names = given.map(([name]) => `--${name}`).join(' and ');
  throw usage(`${names} need one event.`, 'Name it, such as `send user.created`.');
}
