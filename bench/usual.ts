import { createHmac, timingSafeEqual } from 'node:crypto';

export const SECRET = 'whsec_0123456789abcdef0123456789abcdef';

export function sign(body: Uint8Array): string {
  return `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
}

/** The ten lines that receivers usually have. */
export function verifyAsUsual(body: Uint8Array, header: string, secret: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const given = Buffer.from(header);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** A `user.created` of about `bytes` bytes. */
export function eventBody(id: string, bytes: number): Buffer {
  const user = {
    id: 'user_123',
    username: 'john_doe',
    email: 'john@example.com',
    first_name: 'John',
    last_name: 'Doe',
    roles: ['user'],
    created_at: '2024-03-01T10:00:00Z',
  };
  const event = { id, type: 'user.created', api_version: '1.0', created: 1_709_280_000, data: { user } };
  const missing = bytes - Buffer.byteLength(JSON.stringify(event)) - '"bio":"",'.length;
  return Buffer.from(JSON.stringify({ ...event, data: { user: { ...user, bio: 'x'.repeat(Math.max(0, missing)) } } }));
}
