import { bytesOf } from '../../shared/bytes.ts';
import type { WebhookPayload, WebhookSecret } from '../../signature.ts';
import { hmacHex, secretFingerprint, toSignedBytes } from '../fixtures/sign.ts';
import {
  type BodyCause,
  type BodySlip,
  bodySlips,
  endOfFirstJson,
  HASH_RAW,
  READ_ONE_BODY,
  styleSlips,
} from './body-slips.ts';
import { isJson } from './json-styles.ts';
import { listSecrets, type NamedSecret, spoken } from './named-secrets.ts';
import { findSecretSlip, outerSpace, type SecretCause } from './secret-slips.ts';
import { type HeadersLike, headerOf, readSignatureHeader } from './signature-header.ts';

/** What a diagnosis can come to. Closed: a new one is a new minor version. */
export type SignatureCause =
  | 'match'
  | 'header_missing'
  | 'header_malformed'
  | 'secret_missing'
  | 'other_secret'
  | 'body_missing'
  | 'body_parsed'
  | 'body_shorter'
  | 'body_encoding'
  | 'no_match'
  | SecretCause
  | BodyCause;

/**
 * The secrets to try: those of this receiver, as it takes them (several while rotating); or secrets by name, the first name
 * being this receiver's and the others those of other endpoints.
 */
export type SecretsToTry = WebhookSecret | Readonly<Record<string, WebhookSecret>>;

/** Why a signature fails, or that it does not. Holds no secret, no signature and nothing of the body. */
export interface SignatureDiagnosis {
  /** Whether `verifyWebhookSignature` says `true`. */
  readonly ok: boolean;
  /** For programs. */
  readonly cause: SignatureCause;
  /** What is wrong, in one sentence. */
  readonly why: string;
  /** What to do about it, in one sentence. */
  readonly fix: string;
  /** Which secret the signature was made with, or nearly: its name, or its place in the list from 0. */
  readonly secret: string | number | undefined;
  /** The {@link secretFingerprint} of that secret, as it was given. */
  readonly fingerprint: string | undefined;
}

type Finding = Pick<SignatureDiagnosis, 'cause' | 'why' | 'fix'>;

/**
 * Says why a signature fails: which slip with the header, the secret or the body, if it is a usual one, makes it come out
 * right. For development and tools only: it tries dozens of keys and bodies, which a receiver must never do.
 *
 * @param payload - What the receiver hashed: bytes or text. A parsed object is a finding, and so is none at all.
 * @param headers - All headers of the request; `Content-Length` and `Content-Encoding` help to tell what was changed.
 * @param secrets - See {@link SecretsToTry}. Unusable ones are findings and not errors.
 *
 * @example
 * ```ts
 * const { ok, why, fix } = diagnoseSignature(rawBody, request.headers, secret);
 * if (!ok) console.error(`${why}\n${fix}`);
 * ```
 */
export function diagnoseSignature(
  payload: WebhookPayload | object | null | undefined,
  headers: HeadersLike,
  secrets: SecretsToTry,
): SignatureDiagnosis {
  const reading = readSignatureHeader(headers);
  if (!('digest' in reading)) return diagnosis(reading);
  const named = listSecrets(secrets);
  const own = named.filter((secret) => secret.own);
  if (own.length === 0) return diagnosis(SECRET_MISSING);
  const { digest } = reading;
  const body = bytesOf(payload);
  if (!body) return diagnoseParsed(payload, digest, own);
  return (
    findSecret(body, digest, named) ??
    findBody(bodySlips(body, lengthOf(headers)), digest, own) ??
    guess(body, headers, own)
  );
}

const SECRET_MISSING: Finding = {
  cause: 'secret_missing',
  why: 'There is no secret to verify with: it is not set, blank, or no well-formed text.',
  fix: "Set the endpoint's signing secret, for example as PATHFINDER_WEBHOOK_SECRET.",
};

function findSecret(body: Uint8Array, digest: string, named: readonly NamedSecret[]): SignatureDiagnosis | undefined {
  const hit = named.find(({ value }) => hmacHex(body, toSignedBytes(value)) === digest);
  if (hit) return diagnosis(hit.own ? judgeMatch(hit) : otherSecret(hit), hit);
  for (const secret of named.filter(({ own }) => own)) {
    const slip = findSecretSlip(body, digest, secret.value);
    if (!slip) continue;
    const why = `The signature was made with ${slip.madeWith}, not with ${spoken(secret)} as configured.`;
    return diagnosis({ cause: slip.cause, why, fix: slip.fix }, secret);
  }
  return undefined;
}

// What matches is still refused when the secret is one that the package refuses.
function judgeMatch(secret: NamedSecret): Finding {
  const space = typeof secret.value === 'string' ? outerSpace(secret.value) : undefined;
  if (!space)
    return { cause: 'match', why: `The signature is right: ${spoken(secret)} made it.`, fix: 'Nothing to do.' };
  return {
    cause: space,
    why: `The signature was made with ${spoken(secret)} and the white space around it, which this package refuses.`,
    fix: 'Give the endpoint a secret without white space around it, and configure that.',
  };
}

function otherSecret(secret: NamedSecret): Finding {
  return {
    cause: 'other_secret',
    why: `The signature was made with ${spoken(secret)}, which is another endpoint's.`,
    fix: "Configure this endpoint's own secret, or point the other endpoint at its own URL.",
  };
}

function findBody(
  slips: Iterable<BodySlip>,
  digest: string,
  own: readonly NamedSecret[],
): SignatureDiagnosis | undefined {
  for (const { cause, why, fix, bytes } of slips) {
    const secret = own.find(({ value }) => hmacHex(bytes, toSignedBytes(value)) === digest);
    if (secret) return diagnosis({ cause, why, fix }, secret);
  }
  return undefined;
}

function diagnoseParsed(payload: unknown, digest: string, own: readonly NamedSecret[]): SignatureDiagnosis {
  const text = jsonOf(payload);
  if (text === undefined || text === '{}') {
    return diagnosis({
      cause: 'body_missing',
      why: 'There is no body to hash: nothing was sent, or a body parser skipped its content type.',
      fix: HASH_RAW,
    });
  }
  const found = findBody(styleSlips(text), digest, own);
  const secretHolds = found ? ' The secret is right: the signature fits one way to write that object.' : '';
  const why = `The body is a parsed object, and its signed bytes are gone.${secretHolds}`;
  const secret = own.find(({ key }) => key === found?.secret);
  return diagnosis({ cause: 'body_parsed', why, fix: HASH_RAW }, found && secret);
}

// No slip made the signature come out right: what is known of the body decides where to look next.
function guess(body: Uint8Array, headers: HeadersLike, own: readonly NamedSecret[]): SignatureDiagnosis {
  const encoding = headerOf(headers, 'content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    const why = 'The request has a Content-Encoding, and the signature covers the bytes before compression.';
    return diagnosis({ cause: 'body_encoding', why, fix: 'Turn compression off between Pathfinder and the receiver.' });
  }
  const announced = lengthOf(headers);
  if (announced !== undefined && announced !== body.length) {
    const cause = body.length < announced ? 'body_shorter' : 'body_longer';
    const why = `${body.length} bytes were hashed, but Content-Length says ${announced}: the body was changed or cut before it got here.`;
    return diagnosis({ cause, why, fix: HASH_RAW });
  }
  if (body.length === 0) return diagnoseParsed(undefined, '', own);
  const endOfJson = endOfFirstJson(body);
  if (announced === undefined && endOfJson !== undefined && !isBlank(body.subarray(endOfJson))) {
    const why = `${body.length} bytes were hashed, and the JSON in them ends after ${endOfJson}: something else is behind the body.`;
    return diagnosis({ cause: 'body_longer', why, fix: READ_ONE_BODY });
  }
  if (announced === undefined && !isJson(new TextDecoder().decode(body))) {
    const why = `The ${body.length} bytes that were hashed are no whole JSON: the body was probably cut off or mixed up.`;
    return diagnosis({ cause: 'body_shorter', why, fix: HASH_RAW });
  }
  const intact = announced === undefined ? '' : ', and the body is as long as Content-Length says';
  const tried = own.map((secret) => `${secretFingerprint(secret.value)}`).join(', ');
  return diagnosis({
    cause: 'no_match',
    why: `No usual slip explains it${intact}: most likely the secret is another endpoint's (fingerprint tried: ${tried}).`,
    fix: "Compare the endpoint's URL and secret at Pathfinder with what is configured here, or create a new secret.",
  });
}

function diagnosis({ cause, why, fix }: Finding, secret?: NamedSecret): SignatureDiagnosis {
  return {
    ok: cause === 'match',
    cause,
    why,
    fix,
    secret: secret?.key,
    fingerprint: secret && secretFingerprint(secret.value),
  };
}

function isBlank(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes).trim() === '';
}

function jsonOf(payload: unknown): string | undefined {
  try {
    return JSON.stringify(payload ?? undefined);
  } catch {
    return undefined;
  }
}

function lengthOf(headers: HeadersLike): number | undefined {
  const value = headerOf(headers, 'content-length');
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
