import { restyleJson } from './json-styles.ts';

/** Why a signature fails that was made of nearly the same body. */
export type BodyCause =
  | 'body_reserialized'
  | 'body_newline'
  | 'body_bom'
  | 'body_line_ends'
  | 'body_charset'
  | 'body_base64'
  | 'body_longer';

/** Another body that may have been signed, before something changed it. @internal */
export interface BodySlip {
  readonly cause: BodyCause;
  readonly why: string;
  readonly fix: string;
  /** What may have been signed. */
  readonly bytes: Uint8Array;
}

/** The cure for everything that touches a body. @internal */
export const HASH_RAW =
  'Hash the raw bytes: mount the webhook route before express.json() and the like, or use an adapter of this package.';

/** The cure for what is behind a body. @internal */
export const READ_ONE_BODY =
  'Read the body of this request only: a buffer that is used again holds the rest of an earlier one.';

const MOST_BYTES_TO_RESTYLE = 1_048_576;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** What may have been signed when `body` is what was hashed, the most frequent slips first. @internal */
export function* bodySlips(body: Uint8Array, announcedBytes: number | undefined): Generator<BodySlip> {
  const bytes = Buffer.from(body);
  const text = decode(bytes);
  yield* newlineSlips(bytes);
  yield* bomSlips(bytes);
  if (announcedBytes !== undefined && announcedBytes < bytes.length) yield longer(bytes, announcedBytes);
  const endOfJson = endOfFirstJson(bytes);
  if (endOfJson !== undefined && endOfJson < bytes.length) yield* trailingSlips(bytes, endOfJson);
  if (text === undefined) return;
  yield* lineEndSlips(text);
  yield* encodingSlips(text);
  if (bytes.length <= MOST_BYTES_TO_RESTYLE) yield* styleSlips(text);
}

/** The JSON that a parsed body may have been. @internal */
export function* styleSlips(text: string): Generator<BodySlip> {
  for (const { style, text: restyled } of restyleJson(text)) {
    for (const [end, name] of LINE_ENDS) {
      yield {
        cause: 'body_reserialized',
        why: `What was signed is the same JSON, ${style}${name}: something parsed the body and serialised it again before it was hashed.`,
        fix: HASH_RAW,
        bytes: Buffer.from(restyled + end),
      };
    }
  }
}

const LINE_ENDS = [
  ['', ''],
  ['\n', ', and a line end'],
] as const;

function* newlineSlips(bytes: Buffer): Generator<BodySlip> {
  const cause = 'body_newline';
  const end = /(?:\r?\n)+$/.exec(bytes.subarray(-16).toString('latin1'))?.[0] ?? '';
  for (let kept = end.length - 1; kept >= 0; kept--) {
    const why = 'The body was hashed with a line end that was not signed.';
    yield { cause, why, fix: HASH_RAW, bytes: bytes.subarray(0, bytes.length - end.length + kept) };
  }
  for (const lost of ['\n', '\r\n']) {
    const why = 'The body was signed with a line end that was gone when it was hashed.';
    yield { cause, why, fix: HASH_RAW, bytes: Buffer.concat([bytes, Buffer.from(lost)]) };
  }
}

function* bomSlips(bytes: Buffer): Generator<BodySlip> {
  const cause = 'body_bom';
  if (bytes.subarray(0, 3).equals(BOM)) {
    const why = 'The body was hashed with a byte order mark (BOM) in front that was not signed.';
    yield { cause, why, fix: HASH_RAW, bytes: bytes.subarray(3) };
  } else {
    const why =
      'The body was signed with a byte order mark (BOM) in front that was gone when it was hashed, as text() drops it.';
    yield { cause, why, fix: HASH_RAW, bytes: Buffer.concat([BOM, bytes]) };
  }
}

function longer(bytes: Buffer, announcedBytes: number): BodySlip {
  return {
    cause: 'body_longer',
    why: `${bytes.length} bytes were hashed, but only the first ${announcedBytes}, as Content-Length says, were signed.`,
    fix: READ_ONE_BODY,
    bytes: bytes.subarray(0, announcedBytes),
  };
}

function* trailingSlips(bytes: Buffer, endOfJson: number): Generator<BodySlip> {
  for (const [end] of LINE_ENDS) {
    const signed = bytes.subarray(0, endOfJson + end.length);
    if (!signed.subarray(endOfJson).equals(Buffer.from(end))) continue;
    yield {
      cause: 'body_longer',
      why: `${bytes.length} bytes were hashed, but only the first ${signed.length}, up to the end of the JSON, were signed.`,
      fix: READ_ONE_BODY,
      bytes: signed,
    };
  }
}

/** Where the JSON object or list ends that the bytes begin with; `undefined` if they begin with none, or it does not end. @internal */
export function endOfFirstJson(bytes: Uint8Array): number | undefined {
  // As Latin-1 each character is a byte.
  const text = Buffer.from(bytes).toString('latin1');
  if (!/^\s*[{[]/.test(text)) return undefined;
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
    if (depth === 0) return index + 1;
  }
  return undefined;
}

function* lineEndSlips(text: string): Generator<BodySlip> {
  const cause = 'body_line_ends';
  if (text.includes('\r\n')) {
    const why = 'The body was signed with LF line ends and hashed with CRLF.';
    yield { cause, why, fix: HASH_RAW, bytes: Buffer.from(text.replaceAll('\r\n', '\n')) };
  }
  if (/(?<!\r)\n/.test(text)) {
    const why = 'The body was signed with CRLF line ends and hashed with LF.';
    yield { cause, why, fix: HASH_RAW, bytes: Buffer.from(text.replace(/(?<!\r)\n/g, '\r\n')) };
  }
}

function* encodingSlips(text: string): Generator<BodySlip> {
  if (/[\x80-\xff]/.test(text) && !/[^\0-\xff]/.test(text)) {
    const why = 'The UTF-8 body was read as Latin-1 before it was hashed.';
    yield { cause: 'body_charset', why, fix: HASH_RAW, bytes: Buffer.from(text, 'latin1') };
  }
  if (/^[\w+/-]+={0,2}$/.test(text)) {
    const why = 'The body was hashed in Base64, as API gateways hand it over.';
    const fix = "Decode it first: Buffer.from(event.body, 'base64') where isBase64Encoded is true.";
    yield { cause: 'body_base64', why, fix, bytes: Buffer.from(text, 'base64') };
  }
}

// The text is undefined for bytes that are no UTF-8; a BOM is kept.
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
