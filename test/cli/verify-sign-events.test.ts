import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WEBHOOK_EVENT_TYPES } from '@pathfinder/webhooks';
import { saveFixture, signedRequest } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { commandLine, emptyFolder, SECRET } from '../support/command-line.ts';

function signatureOf(body: string, secret = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

describe('sign', () => {
  it('prints the value of the signature header and nothing else', async () => {
    expect(await commandLine('sign', { stdin: '{"a":1}' })).toEqual({
      code: 0,
      stdout: `${signatureOf('{"a":1}')}\n`,
      stderr: '',
    });
    expect(JSON.parse((await commandLine('sign --json', { stdin: 'x' })).stdout)).toEqual({
      signature: signatureOf('x'),
    });
  });

  it('rejects reading the secret and the body from the same stdin', async () => {
    expect((await commandLine('sign --secret-stdin', { stdin: 'x' })).code).toBe(2);
  });
});

describe('verify', () => {
  const body = '{"id":"evt_1"}';

  it('accepts a valid signature of the current and of the previous secret', async () => {
    const env = { PATHFINDER_WEBHOOK_SECRET: SECRET, PATHFINDER_WEBHOOK_SECRET_PREVIOUS: 'the-secret-before' };
    for (const secret of Object.values(env)) {
      const line = `verify --body - --signature ${signatureOf(body, secret)}`;
      expect(await commandLine(line, { stdin: body, env })).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it.each([
    ['an altered body', `${body} `, signatureOf(body), 'body_newline'],
    ['another secret', body, signatureOf(body, 'something-else'), 'no_match'],
    ['a short header', body, 'sha256=00', 'header_malformed'],
    ['a secret in base64', body, signatureOf(body, `${SECRET}\n`), 'secret_newline'],
  ])('explains why verification failed: %s', async (_, text, signature, __) => {
    const { code, stdout, stderr } = await commandLine(`verify --json --body - --signature ${signature}`, {
      stdin: text,
    });
    const { ok, cause, why, fix } = JSON.parse(stdout) as Record<string, unknown>;
    expect([code, ok]).toEqual([1, false]);
    expect(JSON.parse(stderr)).toEqual({ error: { code: cause, message: why, fix } });
  });

  it('verifies a saved delivery', async () => {
    const folder = emptyFolder();
    const delivery = signedRequest('auth.login', { secret: SECRET });
    await saveFixture(join(folder, 'good.json'), delivery);
    await saveFixture(join(folder, 'bad.json'), delivery.tampered());
    expect((await commandLine('verify --file good.json', { cwd: folder })).code).toBe(0);
    expect((await commandLine('verify --file bad.json', { cwd: folder })).code).toBe(1);
  });

  it('requires a delivery and a secret', async () => {
    expect((await commandLine('verify')).code).toBe(2);
    expect((await commandLine('verify --body - --signature sha256=00', { env: {} })).code).toBe(3);
    const folder = emptyFolder();
    writeFileSync(join(folder, 'x.json'), 'null');
    expect((await commandLine('verify --file x.json', { cwd: folder })).code).toBe(2);
  });
});

describe('events', () => {
  it('lists the nineteen types, one per line', async () => {
    const { code, stdout } = await commandLine('events', { env: {} });
    expect([
      code,
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ]).toEqual([0, WEBHOOK_EVENT_TYPES]);
    const listed = JSON.parse((await commandLine('events --json')).stdout) as { type: string }[];
    expect(listed.map(({ type }) => type)).toEqual(WEBHOOK_EVENT_TYPES);
  });

  it('shows a sample and the schema of a type', async () => {
    expect(JSON.parse((await commandLine('events user.created --sample')).stdout)).toMatchObject({
      type: 'user.created',
      data: { user: {} },
    });
    expect(JSON.parse((await commandLine('events user.created --schema')).stdout)).toMatchObject({
      type: 'object',
      required: ['user'],
    });
    expect(JSON.parse((await commandLine('events user.created --schema --json')).stdout)).toMatchObject({
      required: ['user'],
    });
    expect((await commandLine('events user.deleted')).stdout).toContain('"user_id"');
    expect((await commandLine('events user.created --json')).code).toBe(0);
  });

  it('suggests the nearest type for a typo', async () => {
    expect(await commandLine('events user.creatd')).toMatchObject({
      code: 2,
      stderr: '✗ There is no event type user.creatd.\n  Did you mean user.created?\n',
    });
    expect((await commandLine('events --sample')).code).toBe(2);
  });
});
