import { SIGNATURE_HEADER } from '../../delivery.ts';
import { readDigest } from '../../signature.ts';

/** Headers in any framework's shape: a `Headers`, or an object with names in any case. */
export type HeadersLike =
  | {
      /** The value of a header, whatever its case. */
      get(name: string): string | null | undefined;
    }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The digest of a well-formed signature header, or what is wrong with it. @internal */
export type HeaderReading =
  | { readonly digest: string }
  | { readonly cause: 'header_missing' | 'header_malformed'; readonly why: string; readonly fix: string };

const NAME = 'X-Pathfinder-Signature';
const OTHER_SCHEMES = ['x-hub-signature-256', 'stripe-signature', 'webhook-signature', 'svix-signature', 'x-signature'];

/** Reads the signature header; tells what was seen instead of a good one, but never the whole of it. @internal */
export function readSignatureHeader(headers: HeadersLike): HeaderReading {
  const value = headerOf(headers, SIGNATURE_HEADER);
  const digest = readDigest(value);
  if (digest) return { digest };
  if (value === undefined || value.length === 0) return missing(headers);
  const signature = typeof value === 'string' ? value : value.length === 1 ? (value[0] ?? '') : value;
  return {
    cause: 'header_malformed',
    why: `${NAME} must be \`sha256=\` and 64 lower-case hex digits, but ${describe(signature)}.`,
    fix: 'Pass the header on as it came; if it came so, find out who sent it, since Pathfinder does not.',
  };
}

/** A header's value by its name in any case; a list when it came more than once. @internal */
export function headerOf(headers: HeadersLike, name: string): string | readonly string[] | undefined {
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined;
  const found = Object.entries(headers as Readonly<Record<string, string | readonly string[] | undefined>>)
    .filter(([key, value]) => key.toLowerCase() === name && value !== undefined)
    .flatMap(([, value]) => value ?? []);
  return found.length > 1 ? found : found[0];
}

function missing(headers: HeadersLike): HeaderReading {
  const other = OTHER_SCHEMES.find((name) => headerOf(headers, name) !== undefined);
  if (!other) {
    return {
      cause: 'header_missing',
      why: `There is no ${NAME} header, or it is empty.`,
      fix: 'Check that the proxy or gateway in front passes it on, and that Pathfinder sent this request.',
    };
  }
  return {
    cause: 'header_missing',
    why: `There is no ${NAME} header, but one named ${other}: another sender's webhook.`,
    fix: "Give each sender a route of its own, and this route's URL only to Pathfinder.",
  };
}

function describe(signature: string | readonly string[]): string {
  if (typeof signature !== 'string') return `it came ${signature.length} times`;
  if (signature.includes(',')) {
    return `it is a list of ${signature.split(',').length} values, as a proxy makes of several headers`;
  }
  if (signature.trim() !== signature) return 'there is white space around it';
  if (/^["'`]/.test(signature)) return 'it is in quotes';
  if (/^[0-9a-f]{64}$/i.test(signature)) return 'the `sha256=` in front is missing';
  const [, algorithm] = /^([\w-]{1,16})[=:]/.exec(signature) ?? [];
  if (algorithm === undefined) return `it is ${signature.length} characters long and does not start with \`sha256=\``;
  if (!signature.startsWith('sha256=')) return `it starts with \`${signature.slice(0, algorithm.length + 1)}\``;
  const digits = signature.slice('sha256='.length);
  if (/^[0-9a-f]{64}$/i.test(digits)) return 'its digits are in upper case';
  if (/^[\w+/-]{43}=?$/.test(digits) && digits.length >= 43) return 'its digest looks like Base64 instead of hex';
  if (digits.length !== 64) return `it has ${digits.length} characters after the \`=\``;
  return 'not all of its 64 characters are hex digits';
}
