import { WebhookError } from './errors.ts';
import type { ReceivedWebhookEvent } from './events/index.ts';

const MOST_LEVELS = 64;
const MOST_SECONDS = 1e11;

/**
 * Turns verified bytes into an event: UTF-8 (one BOM is dropped), JSON of at most 64 levels, and the envelope. `data` is
 * not looked into. Unknown types and fields pass; of a key given twice the last one counts, as in `JSON.parse`.
 *
 * @throws WebhookError `invalid_json` or `invalid_envelope`, neither with a word of the input.
 */
export function parseWebhookEvent(body: Uint8Array): ReceivedWebhookEvent {
  return checkEnvelope(parseJson(decodeUtf8(body)));
}

let decoder: InstanceType<typeof TextDecoder> | undefined;

function decodeUtf8(body: Uint8Array): string {
  decoder ??= new TextDecoder('utf-8', { fatal: true });
  try {
    return decoder.decode(body);
  } catch {
    throw new WebhookError('invalid_json', { detail: 'It is not UTF-8.' });
  }
}

function parseJson(text: string): unknown {
  if (isTooDeep(text))
    throw new WebhookError('invalid_json', { detail: `It nests deeper than ${MOST_LEVELS} levels.` });
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message can quote the body.
    throw new WebhookError('invalid_json');
  }
}

// The depth is checked before JSON.parse and without recursion: a megabyte of brackets costs a parser seconds, and whatever
// walks its result the stack.
function isTooDeep(text: string): boolean {
  return (
    countUpTo(MOST_LEVELS, text, '{') + countUpTo(MOST_LEVELS, text, '[') > MOST_LEVELS && depthOf(text) > MOST_LEVELS
  );
}

// Most events have fewer brackets than levels. A native search finds that out; looking at each character of 1 kB instead
// would make a delivery a fifth slower.
function countUpTo(limit: number, text: string, bracket: string): number {
  let count = 0;
  for (let i = text.indexOf(bracket); i !== -1 && count <= limit; i = text.indexOf(bracket, i + 1)) count++;
  return count;
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length && deepest <= MOST_LEVELS; i++) {
    const char = text[i];
    if (char === '"') i = endOfString(text, i);
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++depth);
    else if (char === '}' || char === ']') depth--;
  }
  return deepest;
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

function checkEnvelope(value: unknown): ReceivedWebhookEvent {
  if (!isRecord(value)) throw new WebhookError('invalid_envelope', { detail: 'It is not a JSON object.' });
  const problem = envelopeProblem(value);
  if (problem) throw new WebhookError('invalid_envelope', { detail: problem });
  return value as unknown as ReceivedWebhookEvent;
}

function envelopeProblem(value: Readonly<Record<string, unknown>>): string | undefined {
  const { id, type, api_version, created, data, previous_attributes } = value;
  if (!isPrintable(id, 255)) return '`id` must be 1 to 255 printable ASCII characters.';
  if (!isPrintable(type, 128)) return '`type` must be 1 to 128 printable ASCII characters.';
  if (typeof api_version !== 'string') return '`api_version` must be a string.';
  if (!isUnixSeconds(created)) return '`created` must be a whole number of Unix seconds, not milliseconds.';
  if (!isRecord(data)) return '`data` must be an object.';
  if (previous_attributes != null && !isRecord(previous_attributes)) return '`previous_attributes` must be an object.';
  return undefined;
}

function isPrintable(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= most && !/[^\x20-\x7e]/.test(value);
}

function isUnixSeconds(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < MOST_SECONDS;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
