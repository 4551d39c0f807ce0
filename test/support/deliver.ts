import { createHmac } from 'node:crypto';
import type { WebhookDelivery, WebhookLogger } from '@pathfinder/webhooks';

export const SECRET = 'whsec_0123456789abcdef0123456789abcdef';

/** The header as Pathfinder makes it, with nothing of the SDK. */
export function sign(body: string | Uint8Array, secret: string | Uint8Array = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

export function eventOf(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: 'evt_1',
    type: 'user.created',
    api_version: '1.0',
    created: 1_709_280_000,
    data: { user: { id: 'user_1', username: 'ada', email: 'ada@example.com' } },
    ...overrides,
  };
}

export function bodyOf(overrides: Readonly<Record<string, unknown>> = {}): Buffer {
  return Buffer.from(JSON.stringify(eventOf(overrides)));
}

export interface DeliveryOptions extends Partial<Omit<WebhookDelivery, 'body' | 'header'>> {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signature?: string | undefined;
}

/** A signed delivery as an adapter would hand it in. */
export function deliveryOf(body: string | Uint8Array, options: DeliveryOptions = {}): WebhookDelivery {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const signature = 'signature' in options ? options.signature : sign(bytes);
  const headers: Record<string, string | undefined> = { ...options.headers, 'x-pathfinder-signature': signature };
  const { headers: _, signature: __, ...rest } = options;
  return { method: 'POST', ...rest, body: bytes, header: (name) => headers[name.toLowerCase()] };
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that remembers. */
export function recordingLogger(): WebhookLogger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

export function refused(status: number, error: string, extra: Readonly<Record<string, string>> = {}) {
  return { status, headers: { ...HEADERS, ...extra }, body: JSON.stringify({ success: false, error }) };
}

export function answered(status: string, processed = 0, failed = 0, code = 200) {
  const body = JSON.stringify({ success: status !== 'failed', status, processed, failed });
  return { status: code, headers: HEADERS, body };
}

export const RETRY = { 'retry-after': '5' };
