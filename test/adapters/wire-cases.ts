import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { bodyOf, eventOf, SECRET, sign } from '../support/deliver.ts';
import { type AdapterCase, accepted, forged, piecesOf, refused, signed, withSignature } from './harness.ts';
import { chunkOf, framed, type HeaderLine, headOf } from './raw-client.ts';

const ABORTS = 300;
const DRIP_MS = 20;

/** What only a socket can send. */
export const wireCases: readonly AdapterCase[] = [
  {
    name: 'reads a body in pieces of one byte, split within characters',
    async run({ serve }) {
      const names: unknown[] = [];
      const { send } = await serve({ register: (webhooks) => webhooks.on('user.created', (e) => names.push(e.data)) });
      for (const framing of ['chunked', 'length'] as const) {
        const data = { user: { id: 'u', username: 'żółć 🙂 漢字', email: framing } };
        const body = bodyOf({ id: framing, data });
        expect(await send(signed(body, { pieces: piecesOf(body, 1), framing }))).toEqual(accepted('processed', 1));
        expect(await send(forged(body, { pieces: piecesOf(body, 1), framing }))).toEqual(refused('invalid_signature'));
        expect(names.pop()).toEqual(data);
      }
    },
  },
  {
    name: 'accepts several deliveries on one connection',
    async run({ serve }) {
      const { open, url } = await serve();
      const connection = await open();
      for (const id of ['a', 'b', 'c']) {
        const request = signed(bodyOf({ id }));
        await connection.write(headOf(url, request), ...framed(request));
        expect(await connection.reply()).toEqual(accepted('processed', 1));
      }
      connection.destroy();
    },
  },
  {
    name: 'treats a request without a length as an empty body',
    async run({ serve }) {
      const { send, runs } = await serve();
      expect(await send(signed(bodyOf(), { pieces: [], framing: 'none' }))).toEqual(refused('invalid_signature'));
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'never processes a body with a wrong Content-Length',
    async run({ serve }) {
      const { send, runs } = await serve({ bodyTimeoutMs: 100 });
      const body = bodyOf();
      const lies: readonly (readonly HeaderLine[])[] = [
        [['content-length', '10']],
        [['content-length', String(body.length + 10)]],
        [['content-length', 'abc']],
        [['content-length', '-1']],
        [['content-length', '1e2']],
        [
          ['content-length', String(body.length)],
          ['content-length', '10'],
        ],
        [
          ['content-length', String(body.length)],
          ['transfer-encoding', 'chunked'],
        ],
      ];
      for (const headers of lies) {
        const { status } = await send(signed(body, { headers, framing: 'none' }));
        expect([400, 401, 408], JSON.stringify(headers)).toContain(status);
      }
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'rejects a repeated signature header, valid or not',
    async run({ serve }) {
      const { send, runs } = await serve();
      const [good, bad] = [sign(bodyOf()), sign(bodyOf(), 'a guess')];
      for (const [first, second] of [
        [good, bad],
        [bad, good],
        [good, good],
      ] as const) {
        for (const name of ['x-pathfinder-signature', 'X-Pathfinder-Signature']) {
          const request = withSignature(first, bodyOf(), { headers: [[name, second]] });
          expect(await send(request)).toEqual(refused('invalid_signature'));
        }
      }
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'accepts only 71 characters among signature headers of up to 200',
    async run({ serve }) {
      const { open, url, runs } = await serve();
      const connection = await open();
      const body = bodyOf();
      for (let length = 0; length <= 200; length++) {
        const request = withSignature(sign(body).padEnd(200, '0').slice(0, length), body);
        await connection.write(headOf(url, request), ...framed(request));
        const expected = length === 71 ? accepted('processed', 1) : refused('invalid_signature');
        expect(await connection.reply(), String(length)).toEqual(expected);
      }
      expect(runs()).toBe(1);
      connection.destroy();
    },
  },
  {
    name: 'rejects every byte from 0x80 to 0xff in a signature header',
    async run({ serve }) {
      const { open, url, runs } = await serve();
      const connection = await open();
      for (let byte = 0x80; byte <= 0xff; byte++) {
        const header = `${sign(bodyOf()).slice(0, -1)}${String.fromCharCode(byte)}`;
        const request = withSignature(header, bodyOf());
        await connection.write(headOf(url, request), ...framed(request));
        expect(await connection.reply(), String(byte)).toEqual(refused('invalid_signature'));
      }
      expect(runs()).toBe(0);
      connection.destroy();
    },
  },
  {
    name: 'never processes headers with NUL, bare CR or folding, or oversized ones',
    async run({ serve }) {
      const { send, runs } = await serve();
      const good = sign(bodyOf());
      for (const header of [`${good}\0`, `\0${good}`, `${good}\rx: y`, `sha256=\r\n ${good.slice(7)}`]) {
        expect([400, 401], JSON.stringify(header)).toContain((await send(withSignature(header, bodyOf()))).status);
      }
      expect((await send(withSignature(good.padEnd(8000, '0'), bodyOf()))).status).toBe(401);
      expect([401, 431]).toContain((await send(withSignature(good.padEnd(40_000, '0'), bodyOf()))).status);
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'ignores a signature in a trailer',
    async run({ serve }) {
      const { send, runs } = await serve();
      const headers: HeaderLine[] = [['trailer', 'x-pathfinder-signature']];
      const trailers: HeaderLine[] = [['x-pathfinder-signature', sign(bodyOf())]];
      const request = { pieces: [bodyOf()], framing: 'chunked', trailers } as const;
      expect(await send({ ...request, headers })).toEqual(refused('invalid_signature'));
      expect(await send(forged(bodyOf(), request))).toEqual(refused('invalid_signature'));
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'survives 300 senders that disconnect in the middle of their body',
    async run({ serve }) {
      const faults: unknown[] = [];
      const note = (fault: unknown) => void faults.push(fault);
      process.on('unhandledRejection', note).on('uncaughtException', note);
      const served = await serve();
      const body = bodyOf();
      for (let i = 0; i < ABORTS; i++) {
        const connection = await served.open();
        const arrival = served.arrival();
        await connection.write(headOf(served.url, signed(body)), body.subarray(0, i % body.length));
        await arrival;
        connection.destroy();
      }
      expect((await served.answers(ABORTS)).map(({ status }) => status)).toEqual(Array(ABORTS).fill(408));
      expect(await served.send(signed(body))).toEqual(accepted('processed', 1));
      process.off('unhandledRejection', note).off('uncaughtException', note);
      expect({ faults, runs: served.runs(), hashes: served.hashes.length }).toEqual({ faults: [], runs: 1, hashes: 1 });
    },
  },
  {
    name: 'finishes a handler whose sender has disconnected, and responds to the duplicate',
    async run({ serve }) {
      const signals = new EventEmitter();
      const served = await serve({
        register: (webhooks) =>
          webhooks.on('*', () => {
            signals.emit('started');
            return once(signals, 'left');
          }),
      });
      const connection = await served.open();
      const started = once(signals, 'started');
      await connection.write(headOf(served.url, signed(bodyOf())), bodyOf());
      await started;
      connection.destroy();
      await connection.closed;
      signals.emit('left');
      await served.answers(1);
      expect(await served.send(signed(bodyOf()))).toEqual(accepted('duplicate'));
    },
  },
  {
    name: 'responds 408 to a sender that goes silent and then disconnects it',
    waits: true,
    async run({ serve }) {
      const { open, url, runs } = await serve({ bodyTimeoutMs: 100 });
      const connection = await open();
      await connection.write(headOf(url, signed(bodyOf())), bodyOf().subarray(0, 10));
      expect(await connection.reply()).toEqual(refused('body_timeout'));
      await connection.closed;
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'responds 408 to a slow sender, since the deadline covers the whole body',
    waits: true,
    async run({ serve }) {
      const { open, url, runs } = await serve({ bodyTimeoutMs: 150 });
      const connection = await open();
      const body = Buffer.concat([bodyOf(), Buffer.alloc(10_000, ' ')]);
      await connection.write(headOf(url, signed(body)));
      let sent = 0;
      const drip = setInterval(() => void connection.write(body.subarray(sent, ++sent)), DRIP_MS);
      expect(await connection.reply()).toEqual(refused('body_timeout'));
      await connection.closed;
      clearInterval(drip);
      expect({ runs: runs(), dripped: sent > 1 }).toEqual({ runs: 0, dripped: true });
    },
  },
  {
    name: 'serves other senders while 100 are slow',
    async run({ serve }) {
      const { open, url, send } = await serve();
      const slow = await Promise.all(Array.from({ length: 100 }, open));
      for (const connection of slow) await connection.write(headOf(url, signed(bodyOf())), bodyOf().subarray(0, 1));
      expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
      for (const connection of slow) connection.destroy();
    },
  },
  {
    name: 'rejects by the head alone before the body arrives',
    async run({ serve }) {
      const { open, url } = await serve({ maxBodyBytes: 1000 });
      const refusals = [
        [refused('unsupported_encoding'), { headers: [['content-encoding', 'gzip']] }],
        [refused('body_too_large'), { pieces: [Buffer.alloc(1001)] }],
        [refused('invalid_signature'), { pieces: [bodyOf()] }],
      ] as const;
      for (const [reply, request] of refusals) {
        const connection = await open();
        await connection.write(headOf(url, { pieces: [bodyOf()], ...request }));
        expect(await connection.reply()).toEqual(reply);
        connection.destroy();
      }
    },
  },
  {
    name: 'lets a rejected sender finish 8 MB and reuse the connection',
    async run({ serve }) {
      for (const framing of ['length', 'chunked'] as const) {
        const { open, url, runs } = await serve({ maxBodyBytes: 1000 });
        const connection = await open();
        const large = Buffer.alloc(8_000_000, ' ');
        const pieces = piecesOf(large, 100_000);
        const request = withSignature(sign('x'), large, { pieces, framing });
        const sent = connection.write(headOf(url, request), ...framed(request));
        expect(await connection.reply()).toEqual(refused('body_too_large'));
        await sent;
        const next = signed(bodyOf());
        await connection.write(headOf(url, next), ...framed(next));
        expect(await connection.reply()).toEqual(accepted('processed', 1));
        expect(runs()).toBe(1);
        connection.destroy();
      }
    },
  },
  {
    name: 'disconnects a rejected sender that continues beyond the deadline',
    waits: true,
    async run({ serve }) {
      const { open, url } = await serve({ maxBodyBytes: 1000, bodyTimeoutMs: 100 });
      const connection = await open();
      await connection.write(headOf(url, signed(bodyOf(), { framing: 'chunked' })));
      const stream = setInterval(() => void connection.write(chunkOf(Buffer.alloc(1000))), DRIP_MS);
      expect(await connection.reply()).toEqual(refused('body_too_large'));
      await connection.closed;
      clearInterval(stream);
    },
  },
  {
    name: 'accepts a body after Expect: 100-continue',
    async run({ serve }) {
      const { open, url } = await serve();
      const connection = await open();
      await connection.write(headOf(url, signed(bodyOf(), { headers: [['expect', '100-continue']] })));
      expect(await connection.interim()).toBe(100);
      await connection.write(bodyOf());
      expect(await connection.reply()).toEqual(accepted('processed', 1));
      connection.destroy();
    },
  },
  {
    name: 'rejects compressed bodies, including a bomb, without inflating them',
    async run({ serve }) {
      const { send, runs } = await serve();
      const headers: HeaderLine[] = [['content-encoding', 'gzip']];
      for (const body of [gzipSync(bodyOf()), gzipSync(Buffer.alloc(50_000_000, ' '))]) {
        expect(await send(signed(body, { headers }))).toEqual(refused('unsupported_encoding'));
        // Without the header it is what it is: signed bytes that are no JSON.
        expect(await send(signed(body))).toEqual(refused('invalid_json'));
      }
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'echoes nothing of a request or of the secret',
    async run({ serve }) {
      const { send } = await serve({
        maxBodyBytes: 2000,
        register: (webhooks) => webhooks.on('*', () => Promise.reject(new Error('hunter2'))),
      });
      const canary = `<script>${randomBytes(8).toString('hex')}</script>`;
      const odd: HeaderLine[] = [
        ['x-anything', canary],
        ['user-agent', canary],
        ['origin', `http://${canary}`],
      ];
      const body = Buffer.from(JSON.stringify(eventOf({ id: canary, type: canary, data: { canary } })));
      const requests = [
        signed(body, { headers: odd }),
        forged(body, { headers: odd }),
        { pieces: [body], headers: odd },
        signed(Buffer.from(`{${canary}`), { headers: odd }),
        signed(Buffer.alloc(2001, canary), { headers: odd }),
        signed(body, { headers: [...odd, ['content-encoding', canary]] }),
      ];
      const replies = [];
      for (const request of requests) replies.push(await send(request));
      expect(replies.map(({ status }) => status)).toEqual([500, 401, 401, 400, 413, 415]);
      const text = JSON.stringify(replies);
      for (const secret of [canary, 'script', 'hunter2', SECRET, sign(body).slice(7), 'access-control']) {
        expect(text).not.toContain(secret);
      }
    },
  },
];
