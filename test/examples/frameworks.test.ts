import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { listenAt } from '../adapters/listen.ts';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { send, start } from '../support/example-process.ts';

const ACCEPTED = '{"success":true,"status":"processed","processed":1,"failed":0}';
const REFUSED = '{"success":false,"error":"invalid_signature"}';
const PATH = '/webhooks/pathfinder';
const folder = new URL('../../examples/', import.meta.url);
const servers = ['express', 'fastify', 'hono', 'fetch', 'nestjs'];
const called = ['next-app', 'next-pages', 'aws-lambda'];
// The tests of these are in durable-examples.test.ts.
const durable = ['single-machine', 'split-receiver', 'split-worker', 'transaction'];
// The tests of these are in server-examples.test.ts.
const onServers = ['bullmq', 'pg-boss', 'scaled-worker'];

beforeAll(() => void vi.stubEnv('PATHFINDER_WEBHOOK_SECRET', SECRET));
afterAll(() => void vi.unstubAllEnvs());

it('every example has at most 40 lines and is run by a test', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  expect(files.sort()).toEqual([...servers, ...called, ...durable, ...onServers].map((name) => `${name}.ts`).sort());
  const long = files.filter((name) => readFileSync(new URL(name, folder), 'utf8').trimEnd().split('\n').length > 40);
  expect(long).toEqual([]);
});

describe.each(servers)('the example examples/%s.ts', (name) => {
  it('accepts a signed delivery and rejects its forged twin', async () => {
    const { child, lines } = start(`examples/${name}.ts`, { PORT: '0', PATHFINDER_WEBHOOK_SECRET: SECRET });
    const url = await lines.find(/^listening on (.*)$/);
    expect(await send(url, bodyOf(), sign(bodyOf(), 'a guess'))).toEqual([401, REFUSED]);
    expect(lines.all.filter((line) => line.includes('welcome'))).toEqual([]);
    expect(await send(url)).toEqual([200, ACCEPTED]);
    expect(await lines.find(/^(welcome, .*)$/)).toBe('welcome, ada');
    expect(child.exitCode).toBeNull();
  });

  it('does not start without a secret, and explains why', async () => {
    const { child, lines } = start(`examples/${name}.ts`, { PORT: '0', PATHFINDER_WEBHOOK_SECRET: '' });
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(lines.all.join('\n')).toContain('Webhook secret: pass 1 to 5 non-empty strings');
  });
});

it('examples/next-app.ts accepts a signed delivery and rejects its forged twin', async () => {
  const lines = printed();
  const { POST } = await import('../../examples/next-app.ts');
  const call = async (signature: string) => {
    const headers = { 'x-pathfinder-signature': signature };
    const request = new Request(`http://localhost${PATH}`, {
      method: 'POST',
      headers,
      body: Uint8Array.from(bodyOf()),
    });
    const response = await POST(request);
    return [response.status, await response.text()];
  };
  expect(await call(sign(bodyOf(), 'a guess'))).toEqual([401, REFUSED]);
  expect(lines()).toEqual([]);
  expect(await call(sign(bodyOf()))).toEqual([200, ACCEPTED]);
  expect(lines()).toEqual(['welcome, ada']);
});

it('examples/next-pages.ts accepts a signed delivery and rejects its forged twin', async () => {
  const lines = printed();
  const path = '../../examples/next-pages.ts';
  const example = (await import(path)) as {
    readonly default: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
    readonly config: unknown;
  };
  expect(example.config).toEqual({ api: { bodyParser: false } });
  const listener: RequestListener = (request, response) => void example.default(request, response);
  const { url, close } = await listenAt(`/api${PATH}`, listener);
  onTestFinished(close);
  expect(await send(url, bodyOf(), sign(bodyOf(), 'a guess'))).toEqual([401, REFUSED]);
  expect(lines()).toEqual([]);
  expect(await send(url)).toEqual([200, ACCEPTED]);
  expect(lines()).toEqual(['welcome, ada']);
});

describe('examples/aws-lambda.ts', () => {
  // Bytes that are no text come as Base64 only.
  const encodings = { plain: (body: Buffer) => body.toString(), Base64: (body: Buffer) => body.toString('base64') };
  const formats = {
    '1.0': (signatures: readonly string[], rest: object) => ({
      version: '1.0',
      resource: PATH,
      path: PATH,
      httpMethod: 'POST',
      headers: { Host: 'x.execute-api.eu-west-1.amazonaws.com', 'X-Pathfinder-Signature': signatures.at(-1) },
      multiValueHeaders: { Host: ['x.execute-api.eu-west-1.amazonaws.com'], 'X-Pathfinder-Signature': signatures },
      requestContext: { httpMethod: 'POST', path: PATH, stage: 'prod', protocol: 'HTTP/1.1' },
      ...rest,
    }),
    '2.0': (signatures: readonly string[], rest: object) => ({
      version: '2.0',
      routeKey: `POST ${PATH}`,
      rawPath: PATH,
      headers: { host: 'x.execute-api.eu-west-1.amazonaws.com', 'x-pathfinder-signature': signatures.join(',') },
      requestContext: { http: { method: 'POST', path: PATH, protocol: 'HTTP/1.1' }, stage: '$default' },
      ...rest,
    }),
  };
  const cases = Object.keys(formats).flatMap((format) => Object.keys(encodings).map((encoding) => [format, encoding]));

  it.each(cases as [keyof typeof formats, keyof typeof encodings][])(
    'accepts a signed delivery and rejects its forged twin: payload %s, %s',
    async (format, encoding) => {
      const lines = printed();
      const { handler } = await import('../../examples/aws-lambda.ts');
      const body = bodyOf({ id: `evt_${format}_${encoding}`, note: 'żółć' });
      const call = async (...signatures: string[]) => {
        const rest = { body: encodings[encoding](body), isBase64Encoded: encoding === 'Base64' };
        const { statusCode, body: text, headers } = await handler(formats[format](signatures, rest) as never);
        expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
        return [statusCode, text];
      };
      expect(await call(sign(body, 'a guess'))).toEqual([401, REFUSED]);
      expect(await call(sign(body, 'a guess'), sign(body))).toEqual([401, REFUSED]);
      expect(lines()).toEqual([]);
      expect(await call(sign(body))).toEqual([200, ACCEPTED]);
      expect(lines()).toEqual(['welcome, ada']);
    },
  );

  it('rejects requests without a body, without a header or with another method', async () => {
    const { handler } = await import('../../examples/aws-lambda.ts');
    const event = { requestContext: { http: { method: 'POST' } }, headers: {} };
    expect(await handler(event as never)).toMatchObject({ statusCode: 401, body: REFUSED });
    const get = { httpMethod: 'GET', headers: {}, multiValueHeaders: null, body: null, isBase64Encoded: false };
    expect(await handler(get as never)).toMatchObject({ statusCode: 405, headers: { allow: 'POST' } });
  });
});

function printed(): () => unknown[] {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  onTestFinished(() => log.mockRestore());
  return () => log.mock.calls.map(([line]) => line);
}
