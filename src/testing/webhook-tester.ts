import { SIGNATURE_HEADER } from '../delivery.ts';
import { isWebhookEventType, type WebhookEventData, type WebhookEventType } from '../events/index.ts';
import { checkNames, duration } from '../shared/check.ts';
import { unheeded } from '../shared/guard.ts';
import type { WebhookPayload } from '../verify.ts';
import { sampleEvent, testEventId, unknownType } from './fixtures/sample-event.ts';
import { signWebhookPayload } from './fixtures/sign.ts';
import { PostError, post } from './post.ts';

const MAX_REPLY_BYTES = 1_048_576;
const MAX_QUOTED_CHARACTERS = 300;

/** Options of a {@link WebhookTester}. */
export interface WebhookTesterOptions {
  /** Milliseconds until the whole reply has to be there. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Where success and failure are told, one line each. Default `console`; `false` for silence. */
  readonly output?: Pick<Console, 'log' | 'error'> | false | undefined;
}

/** A reply of the receiver, as `error.response` has it. Bodies of over 1 MiB are cut off there. */
export interface WebhookTestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body: parsed when it is JSON, else as text. */
  readonly data: unknown;
}

/** Why a test event did not get through. */
export type WebhookTestErrorCode = 'refused' | 'redirected' | 'timeout' | 'unreachable';

/** A test event that was not answered with 2xx. `message` says what to do; carries no secret and no signature. */
export class WebhookTestError extends Error {
  readonly code: WebhookTestErrorCode;
  /** The reply, if there was one. */
  readonly response: WebhookTestResponse | undefined;

  constructor(code: WebhookTestErrorCode, message: string, response?: WebhookTestResponse) {
    super(message);
    this.name = 'WebhookTestError';
    this.code = code;
    this.response = response;
  }
}

/**
 * Sends signed test events to a receiver: the class of Pathfinder's documentation, without axios.
 *
 * @example
 * ```ts
 * const tester = new WebhookTester('http://localhost:3000/webhooks/pathfinder', 'test-secret');
 * await tester.sendTestEvent('user.created');
 * ```
 */
export class WebhookTester {
  /** Where the test events go. */
  readonly webhookUrl: string;
  readonly #secret: string | Uint8Array;
  readonly #timeoutMs: number;
  readonly #output: Pick<Console, 'log' | 'error'> | false;

  /**
   * @param webhookUrl - The receiver's whole URL.
   * @param secret - The receiver's signing secret.
   * @throws TypeError for what is no http(s) URL, and for a secret that `verifyWebhookSignature` would refuse.
   */
  constructor(webhookUrl: string | URL, secret: string | Uint8Array, options: WebhookTesterOptions = {}) {
    checkNames('WebhookTester', options, { timeoutMs: true, output: true });
    this.webhookUrl = readUrl(webhookUrl);
    // Options are read at once, so that a mistake shows where it was made.
    signWebhookPayload('', secret);
    this.#secret = secret;
    this.#timeoutMs = duration('timeoutMs', options.timeoutMs ?? 10_000);
    this.#output = options.output ?? console;
  }

  /**
   * Signs a new event, posts it, and returns the parsed reply (text, if it is not JSON). Follows no redirect.
   *
   * @param eventType - One of the nineteen names; with `data`, any name.
   * @param data - The whole `data` of the event. Default: that of a valid sample.
   * @throws WebhookTestError `refused` (any status but 2xx), `redirected`, `timeout` or `unreachable`; `TypeError` for an
   *   unknown name without `data`.
   */
  async sendTestEvent<T extends WebhookEventType | (string & {})>(
    eventType: T,
    data?: T extends WebhookEventType ? WebhookEventData[T] : object,
  ): Promise<unknown> {
    const payload = JSON.stringify(testEvent(eventType, data));
    const signature = this.generateSignature(payload);
    try {
      const response = await this.#post(payload, signature);
      this.#tell('log', '✅ Webhook test successful:', response.status);
      return response.data;
    } catch (error) {
      this.#tell('error', '❌ Webhook test failed:', (error as Error).message);
      throw error;
    }
  }

  /** The signature header of a payload: see {@link signWebhookPayload}. */
  generateSignature(payload: WebhookPayload): string {
    return signWebhookPayload(payload, this.#secret);
  }

  // An output that throws has no say in what came of the test.
  #tell(method: 'log' | 'error', ...words: readonly unknown[]): void {
    const output = this.#output;
    if (output) unheeded(() => output[method](...words));
  }

  async #post(payload: string, signature: string): Promise<WebhookTestResponse> {
    const headers = { 'content-type': 'application/json', [SIGNATURE_HEADER]: signature };
    const options = { headers, body: payload, timeoutMs: this.#timeoutMs, maxReplyBytes: MAX_REPLY_BYTES };
    const reply = await post(this.webhookUrl, options).catch((error: unknown) => {
      throw error instanceof PostError ? noReply(error, this.webhookUrl) : error;
    });
    const response = { status: reply.status, headers: reply.headers, data: parseReply(reply.body) };
    if (reply.status >= 200 && reply.status < 300) return response;
    throw refusal(response, reply.body);
  }
}

function testEvent(type: string, data: object | undefined): object {
  if (data !== undefined) {
    return { id: testEventId(), type, api_version: '1.0', created: Math.floor(Date.now() / 1000), data };
  }
  if (!isWebhookEventType(type)) throw new TypeError(unknownType(type, 'pass its data'));
  return sampleEvent(type);
}

function readUrl(webhookUrl: string | URL): string {
  const text = String(webhookUrl);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TypeError('Pass the whole URL of the receiver, such as http://localhost:3000/webhooks/pathfinder.');
  }
  if (url.username || url.password) throw new TypeError('Pass the URL without a user name and a password.');
  return url.href;
}

function parseReply(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function noReply(error: PostError, url: string): WebhookTestError {
  const { origin } = new URL(url);
  if (error.reason === 'timeout') {
    return new WebhookTestError('timeout', `${error.message} from ${origin}. Does the handler end?`);
  }
  return new WebhookTestError('unreachable', `${error.message}. Is the receiver running at ${origin}?`);
}

function refusal(response: WebhookTestResponse, body: string): WebhookTestError {
  const { status, headers } = response;
  const text = harmless(body).slice(0, MAX_QUOTED_CHARACTERS);
  const said = text ? `: ${text}` : '';
  if (status >= 300 && status < 400) {
    const target = harmless(headers.location ?? '').slice(0, MAX_QUOTED_CHARACTERS) || 'nowhere';
    const message = `Request redirected with status code ${status} to ${target}. Redirects are not followed: give the final URL.`;
    return new WebhookTestError('redirected', message, response);
  }
  const hint = HINTS[status];
  const message = `Request failed with status code ${status}${said}${hint ? `. ${hint}` : ''}`;
  return new WebhookTestError('refused', message, response);
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'Is this the secret that the receiver was started with, and does the receiver hash the raw body?',
  404: 'Is the path of the URL that of the webhook route?',
  405: 'Does the route take POST?',
  500: "The receiver's log says more.",
};

// A reply may hold terminal escapes and line ends; a message is one line.
function harmless(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
}
