import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebhookDelivery, WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readNodeDelivery, writeNodeReply } from '../../src/adapters/read-node-body.ts';
import { bodyOf, sign } from '../support/deliver.ts';
import { gate } from '../support/receiver.ts';
import { piecesOf, refused, signed } from './harness.ts';
import { listenAt } from './listen.ts';
import { framed, headOf, openRaw, type RawRequest } from './raw-client.ts';

const LIMITS = { maxBodyBytes: 100_000, bodyTimeoutMs: 5000 };
const EVENTS = ['data', 'end', 'error', 'close'];

type Act = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;

/** What `act` makes of a request that arrives like this. */
async function during(request: RawRequest, act: Act, sent: readonly Uint8Array[] = framed(request)): Promise<unknown> {
  let settle: (outcome: Promise<unknown>) => void = () => {};
  const outcome = new Promise((resolve) => {
    settle = resolve;
  });
  // Looked at only when all is sent.
  outcome.catch(() => undefined);
  const { url, close } = await listenAt('/hook?a=1', (incoming, response) => {
    settle(act(incoming, response).finally(() => response.end()));
  });
  onTestFinished(close);
  const connection = await openRaw(url);
  await connection.write(headOf(url, { target: '/hook?a=1', ...request }), ...sent);
  onTestFinished(connection.destroy);
  return outcome;
}

async function read(request: RawRequest, change: (request: IncomingMessage) => unknown = () => undefined) {
  return (await during(request, async (incoming) => {
    // In one turn with the change, if that does not wait.
    const changed = change(incoming);
    if (changed instanceof Promise) await changed;
    return readNodeDelivery(incoming, LIMITS);
  })) as WebhookDelivery;
}

function code(error: unknown): unknown {
  return error instanceof WebhookError ? error.code : error;
}

it('reading a node:http body continues with the head that was accepted', async () => {
  const { accepted } = await read(signed(bodyOf()));
  expect([accepted?.digest, accepted?.announcedBytes]).toEqual([sign(bodyOf()).slice(7), bodyOf().length]);
});

describe('the bytes of a node:http body', () => {
  it('are not copied when they arrive in one piece', async () => {
    const pieces: Uint8Array[] = [];
    const delivery = await read(signed(bodyOf()), (request) => request.on('data', (piece) => pieces.push(piece)));
    expect(pieces).toEqual([bodyOf()]);
    expect(delivery.body).toBe(pieces[0]);
  });

  it.each(['length', 'chunked'] as const)(
    'are joined to their exact size when they arrive in pieces (%s)',
    async (framing) => {
      for (const size of [1, 7, 4000]) {
        const body = Buffer.concat(Array(50).fill(bodyOf()));
        const { body: read_ } = await read(signed(body, { pieces: piecesOf(body, size), framing }));
        expect(Buffer.from(read_)).toEqual(body);
        expect(read_.buffer.byteLength).toBe(read_.length);
      }
    },
  );

  it('are an empty array when the request has no body', async () => {
    expect((await read(signed(Buffer.alloc(0)))).body).toEqual(new Uint8Array());
  });

  it('are taken from rawBody first, then from a body of bytes, then from the stream', async () => {
    const bytes = (text: string) => new Uint8Array(Buffer.from(text));
    const sources = [
      [{ rawBody: bytes('raw'), body: bytes('body') }, 'raw'],
      [{ rawBody: 'tëxt', body: bytes('body') }, 'tëxt'],
      [{ rawBody: { an: 'object' }, body: bytes('body') }, 'body'],
      [{ body: { an: 'object' } }, 'stream'],
      [{ rawBody: undefined, body: undefined }, 'stream'],
    ] as const;
    for (const [kept, expected] of sources) {
      const { body } = await read(signed(Buffer.from('stream')), (request) => Object.assign(request, kept));
      expect(Buffer.from(body).toString()).toBe(expected);
    }
  });

  it('are read from a request that was paused or read later', async () => {
    expect((await read(signed(bodyOf()), (request) => request.pause())).body).toEqual(bodyOf());
    const waited = read(signed(bodyOf()), () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))));
    expect((await waited).body).toEqual(bodyOf());
  });

  it.each<[string, (request: IncomingMessage) => unknown]>([
    ['read', (request) => request.toArray()],
    ['begun', (request) => new Promise((resolve) => request.once('data', resolve))],
    ['made text', (request) => request.setEncoding('utf8')],
  ])('are reported missing when other code has %s the request', async (_, take) => {
    const body = Buffer.concat(Array(50).fill(bodyOf()));
    expect(await read(signed(body), take).catch(code)).toBe('body_already_parsed');
  });
});

describe('a body that other code starts to read in the same turn', () => {
  /** What the other code and `readNodeDelivery` got of a body, which came with the head or after a while. */
  async function shared(isJoined: boolean) {
    const request = signed(bodyOf());
    const both = gate<readonly unknown[]>();
    const { url, close } = await listenAt('/', async (incoming, response) => {
      const taken: Uint8Array[] = [];
      const reading = readNodeDelivery(incoming, LIMITS).catch(code);
      incoming.on('data', (piece) => taken.push(piece));
      await once(incoming, 'end');
      response.end();
      both.open([Buffer.concat(taken), await reading]);
    });
    onTestFinished(close);
    const connection = await openRaw(url);
    onTestFinished(connection.destroy);
    const head = headOf(url, request);
    await connection.write(...(isJoined ? [Buffer.concat([head, ...framed(request)])] : [head]));
    await delay(5);
    if (!isJoined) await connection.write(...framed(request));
    return both.promise;
  }

  it('is read in full by both when it arrives after the head', async () => {
    expect(await shared(false)).toEqual([bodyOf(), expect.objectContaining({ body: bodyOf() })]);
  });

  it('is reported as gone when it arrives with the head, and the other code reads it in full', async () => {
    expect(await shared(true)).toEqual([bodyOf(), 'body_already_parsed']);
  });
});

describe('the head of a node:http delivery', () => {
  it('has the whole URL, the parameters and every header in any case', async () => {
    const headers = [
      ['X-Two', 'a'],
      ['x-two', 'b'],
      ['set-cookie', 'c'],
    ] as const;
    const delivery = await read(signed(bodyOf(), { headers }), (request) => {
      Object.assign(request, { originalUrl: '/api/hook?a=1', params: { tenant: 'acme', rest: ['a', 'b'] } });
    });
    const { method, url, params } = delivery;
    expect({ method, url, params }).toEqual({
      method: 'POST',
      url: '/api/hook?a=1',
      params: { tenant: 'acme', rest: 'a/b' },
    });
    expect(
      ['X-Pathfinder-Signature', 'x-two', 'set-cookie', 'constructor', '__proto__'].map((name) =>
        delivery.header(name),
      ),
    ).toEqual([sign(bodyOf()), 'a, b', undefined, undefined, undefined]);
  });

  it("has the request's own URL when no router provides another", async () => {
    expect(await read(signed(bodyOf()))).toMatchObject({ url: '/hook?a=1', params: {} });
  });
});

describe('after a node:http delivery', () => {
  it.each<[string, RawRequest]>([
    ['a delivery', signed(bodyOf())],
    ['a body too large', signed(Buffer.alloc(LIMITS.maxBodyBytes + 1), { framing: 'chunked' })],
  ])('no listener and no timer remains on %s', async (_, request) => {
    const left = await during(request, async (incoming) => {
      const count = () => [EVENTS.map((event) => incoming.listenerCount(event)), timers()];
      const before = count();
      await readNodeDelivery(incoming, LIMITS).catch(() => undefined);
      if (!incoming.readableEnded) await new Promise((resolve) => incoming.once('end', resolve));
      const [listeners, running] = count();
      return { before, after: [listeners, running] };
    });
    const { before, after } = left as { before: [number[], number]; after: [number[], number] };
    expect(after[1]).toBe(before[1]);
    if (request.framing === undefined) expect(after[0]).toEqual(before[0]);
  });

  it('a request that was destroyed before it was read is rejected at once', async () => {
    const gone = during(
      signed(bodyOf()),
      async (incoming) => {
        incoming.destroy();
        await new Promise((resolve) => incoming.once('close', resolve));
        return readNodeDelivery(incoming, { ...LIMITS, bodyTimeoutMs: 1e6 }).catch(code);
      },
      [],
    );
    expect(await gone).toBe('body_timeout');
  });

  it('a response is written once, and not to a sender that has disconnected', async () => {
    const written = await during(signed(bodyOf()), async (_incoming, response) => {
      const { headers, ...reply } = refused('body_timeout');
      writeNodeReply(response, { headers: { 'x-a': headers['content-type'] ?? '' }, ...reply });
      writeNodeReply(response, { headers: {}, status: 200, body: 'again' });
      return [response.statusCode, response.writableEnded];
    });
    expect(written).toEqual([408, true]);
    const late = await during(signed(bodyOf()), async (_incoming, response) => {
      response.destroy();
      writeNodeReply(response, { headers: {}, status: 200, body: 'late' });
      return response.headersSent;
    });
    expect(late).toBe(false);
  });
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
