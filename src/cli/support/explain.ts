import type { Incoming } from './exchange.ts';
import { membersOf } from './json.ts';
import { plain } from './plain.ts';

const MOST_SHOWN = 300;

/** The meaning of a receiver's answer, and what to do where it is no. */
export interface Explanation {
  readonly ok: boolean;
  readonly text: string;
  readonly fix: string;
  /** For programs. */
  readonly code: string;
}

/** Reads a reply as a person would: with this package's own reply table, and what proxies and frameworks answer. */
export function explain(reply: Incoming, url: URL): Explanation {
  const { status } = reply;
  const body = membersOf(reply.body);
  if (status >= 200 && status < 300) return { ok: true, code: 'accepted', text: accepted(body), fix: '' };
  if (status >= 300 && status < 400) return redirected(reply, url);
  const ours = body.success === false ? String(body.error ?? body.status ?? '') : '';
  // A receiver's words are looked up among the table's own: `constructor` is in every object.
  const row = Object.hasOwn(OURS, ours) ? OURS[ours] : FOREIGN[status];
  const [code, text, fix] = row ?? ['refused', 'it refused the delivery', "Your app's log says more."];
  return { ok: false, code, text: `${status} from ${url.href}: ${text}.`, fix };
}

/** The start of a reply's body, in one line. */
export function shown({ body }: Incoming): string {
  const text = plain(body.toString('utf8').trim());
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function accepted(body: Readonly<Record<string, unknown>>): string {
  if (body.success !== true) return 'accepted';
  const runs = Number(body.processed);
  const said = new Map<unknown, string>([
    ['processed', `verified, ${runs} handler${runs === 1 ? '' : 's'} ran`],
    ['queued', 'verified and queued'],
    ['duplicate', 'verified, a duplicate: no handler ran again'],
    ['unhandled', 'verified, but no handler is registered for this type'],
  ]);
  return said.get(body.status) ?? 'accepted';
}

function redirected({ status, headers }: Incoming, url: URL): Explanation {
  const to = plain(String(headers.location ?? 'nowhere')).slice(0, MOST_SHOWN);
  return {
    ok: false,
    code: 'redirected',
    text: `${status} → ${to}: something in front of the route redirected the POST.`,
    fix: `Exempt ${url.pathname} from it (auth middleware, trailing slash, http to https), or pass the final URL to --to.`,
  };
}

type Row = readonly [code: string, text: string, fix: string];

const RAW_BODY = 'Mount the webhook route before express.json() and the like.';

const OURS: Readonly<Record<string, Row>> = {
  invalid_signature: [
    'invalid_signature',
    'the signature was refused',
    'Is the secret that of your app, and does nothing parse the body before? `pathfinder-webhooks doctor` tells which.',
  ],
  body_already_parsed: ['body_already_parsed', 'something parsed the body before the webhook route', RAW_BODY],
  failed: ['handler_failed', 'a handler failed', "Your app's log has its error."],
  in_progress: ['in_progress', 'the same event is being processed elsewhere', 'Send it again later.'],
  id_conflict: ['id_conflict', 'the id is known with other bytes', 'Leave --id away, or send the same bytes.'],
  store_unavailable: ['store_unavailable', 'its store is out of reach', 'Start the store, and send it again.'],
  queue_unavailable: ['queue_unavailable', 'its queue is out of reach', 'Start the queue, and send it again.'],
  secret_unavailable: ['secret_unavailable', 'its `secret` function failed', "Your app's log has the reason."],
  too_old: ['too_old', 'the event is older than `maxAgeSeconds`', 'Send a new one, or set `created`.'],
  too_new: ['too_new', 'the event lies in the future', 'Set the clocks of both machines.'],
  invalid_data: [
    'invalid_data',
    'the data does not fit its schema',
    'Correct it: `pathfinder-webhooks events <type> --schema`.',
  ],
  invalid_json: ['invalid_json', 'the body is not JSON in UTF-8', 'Send JSON.'],
  invalid_envelope: [
    'invalid_envelope',
    'the body is not a webhook event',
    'It needs id, type, api_version, created and data.',
  ],
};

const FOREIGN: Readonly<Record<number, Row>> = {
  400: ['refused', 'it refused the delivery', "Your app's log says more."],
  401: [
    'unauthorized',
    'something answered that is not this package: the app itself, or auth in front of the route',
    'Exempt the route from it. If it is a receiver of your own: is the secret the same?',
  ],
  403: [
    'unauthorized',
    'something in front of the route refused it (auth, CSRF, a firewall)',
    'Exempt the route from it.',
  ],
  404: ['not_found', 'the app is up, but that path is not routed', 'Check the path, and pass the whole URL to --to.'],
  405: ['method_not_allowed', 'the route takes no POST', 'Route POST there.'],
  413: [
    'body_too_large',
    'the body is too large for it',
    'Raise the limit of the body, in the proxy or as `maxBodyBytes`.',
  ],
  415: ['unsupported_media_type', 'it takes no JSON', 'Have the route take application/json.'],
  429: ['rate_limited', 'it has had too many requests', 'Send fewer with --rate.'],
  500: ['server_error', 'the app failed', "Your app's log has its error."],
  502: ['bad_gateway', 'the proxy did not reach the app', 'Start the app behind it.'],
  503: ['unavailable', 'the app is not available', 'Try again later.'],
  504: ['gateway_timeout', 'the app took too long for the proxy', 'Does the handler end? A queue answers at once.'],
};
