import { hmacHex } from '../fixtures/sign.ts';

/** Why a signature fails that was made with nearly the right secret. */
export type SecretCause =
  | 'secret_whitespace'
  | 'secret_newline'
  | 'secret_quotes'
  | 'secret_prefix'
  | 'secret_base64'
  | 'secret_hex';

/** Another key that somebody might have made of a secret. @internal */
export interface SecretSlip {
  readonly cause: SecretCause;
  /** What was done to the secret, after "The signature was made with ". */
  readonly madeWith: string;
  readonly fix: string;
}

interface Variant extends SecretSlip {
  readonly key: Uint8Array;
}

const PREFIX = 'whsec_';
const AS_SHOWN = 'Configure the secret exactly as Pathfinder shows it, and as text.';
const BARE = 'Configure the bare value. In an env file write NAME=value; in a shell use printf instead of echo.';
const AT_PATHFINDER = 'Give the endpoint at Pathfinder a secret without it.';

/** Which slip of `secret`, if any, turns it into the key that made `digest` of `body`. @internal */
export function findSecretSlip(body: Uint8Array, digest: string, secret: string | Uint8Array): SecretSlip | undefined {
  const variants = typeof secret === 'string' ? [...variantsOfText(secret)] : [...variantsOfBytes(secret)];
  return variants.find(({ key }) => key.length > 0 && hmacHex(body, key) === digest);
}

/** What kind of white space a secret has around it, none being `undefined`. @internal */
export function outerSpace(secret: string): 'secret_whitespace' | 'secret_newline' | undefined {
  if (/[\r\n]$/.test(secret)) return 'secret_newline';
  return secret.trim() === secret ? undefined : 'secret_whitespace';
}

function* variantsOfText(secret: string): Generator<Variant> {
  yield* paddedVariants(secret);
  yield* quotedVariants(secret);
  const core = unquote(secret.trim()).trim();
  const [bare, withPrefix] = core.startsWith(PREFIX) ? [core.slice(PREFIX.length), core] : [core, PREFIX + core];
  const kept = core.startsWith(PREFIX);
  yield slip('secret_prefix', kept ? bare : withPrefix, {
    madeWith: kept ? `the secret without its \`${PREFIX}\`` : `\`${PREFIX}\` in front of the secret`,
    fix: kept ? `Configure the secret without \`${PREFIX}\`.` : `Configure the secret with its \`${PREFIX}\`.`,
  });
  for (const text of new Set([core, bare])) {
    if (/^[\w+/-]+={0,2}$/.test(text)) yield decoded('secret_base64', text, 'base64');
    if (/^(?:[0-9a-f]{2})+$/i.test(text)) yield decoded('secret_hex', text, 'hex');
  }
}

function* paddedVariants(secret: string): Generator<Variant> {
  const space = outerSpace(secret);
  if (space) {
    const what = space === 'secret_newline' ? 'line end' : 'white space';
    yield slip(space, secret.trim(), { madeWith: `the secret without the ${what} around it`, fix: BARE });
  }
  const escaped = /^(.*?)(?:\\[rn])+$/s.exec(secret)?.[1];
  if (escaped) {
    yield slip('secret_newline', escaped, { madeWith: 'the secret without the `\\n` at its end', fix: BARE });
  }
  for (const lineEnd of ['\n', '\r\n']) {
    yield slip('secret_newline', secret + lineEnd, { madeWith: 'a line end behind the secret', fix: AT_PATHFINDER });
  }
  for (const text of [`${secret} `, ` ${secret}`]) {
    yield slip('secret_whitespace', text, { madeWith: 'a space beside the secret', fix: AT_PATHFINDER });
  }
}

function* quotedVariants(secret: string): Generator<Variant> {
  const unquoted = unquote(secret.trim());
  if (unquoted !== secret.trim()) {
    yield slip('secret_quotes', unquoted, { madeWith: 'the secret without the quotes around it', fix: BARE });
    yield slip('secret_quotes', unquoted.trim(), { madeWith: 'the secret without the quotes around it', fix: BARE });
  }
  for (const quote of [`"`, `'`]) {
    const madeWith = 'quotes around the secret';
    yield slip('secret_quotes', quote + secret + quote, { madeWith, fix: AT_PATHFINDER });
  }
}

function* variantsOfBytes(secret: Uint8Array): Generator<Variant> {
  const bytes = Buffer.from(secret);
  yield slip('secret_hex', bytes.toString('hex'), { madeWith: 'the hex text that the bytes came from', fix: AS_SHOWN });
  for (const encoding of ['base64', 'base64url'] as const) {
    const text = bytes.toString(encoding);
    const madeWith = 'the Base64 text that the bytes came from';
    for (const shown of [text, PREFIX + text]) yield slip('secret_base64', shown, { madeWith, fix: AS_SHOWN });
  }
}

function decoded(cause: 'secret_base64' | 'secret_hex', text: string, encoding: 'base64' | 'hex'): Variant {
  const name = encoding === 'hex' ? 'hex' : 'Base64';
  return {
    cause,
    key: Buffer.from(text, encoding),
    madeWith: `the bytes that the secret is the ${name} of`,
    fix: `Configure bytes: Buffer.from(secret, '${encoding}')${text.startsWith(PREFIX) ? '' : `, without any \`${PREFIX}\``}.`,
  };
}

function slip(cause: SecretCause, key: string, { madeWith, fix }: { madeWith: string; fix: string }): Variant {
  return { cause, key: Buffer.from(key, 'utf8'), madeWith, fix };
}

function unquote(text: string): string {
  return /^(["'`])(.*)\1$/s.exec(text)?.[2] ?? text;
}
