import { memoryStore, type WebhookQueue } from '@pathfinder/webhooks';
import { expect } from 'vitest';
import { bodyOf, sign } from '../support/deliver.ts';
import {
  type AdapterCase,
  type AdapterTraits,
  accepted,
  forged,
  piecesOf,
  refused,
  sha256,
  signed,
  storeWith,
  withSignature,
} from './harness.ts';
import { inTestQueue } from './in-test-queue.ts';
import { type HeaderLine, headOf, type RawRequest } from './raw-client.ts';

const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
const down = () => Promise.reject(new Error('connect ECONNREFUSED'));

/** Every outcome of the reply table. */
export function outcomeCases(traits: AdapterTraits): readonly AdapterCase[] {
  return [...verifiedCases, ...refusedCases, ...unavailableCases, ...methodCases(traits)];
}

const verifiedCases: readonly AdapterCase[] = [
  {
    name: 'processes a delivery and responds to its duplicate without running it',
    async run({ serve }) {
      const { send, runs } = await serve();
      expect(await send(forged(bodyOf()))).toEqual(refused('invalid_signature'));
      expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
      expect(await send(signed(bodyOf()))).toEqual(accepted('duplicate'));
      expect(runs()).toBe(1);
    },
  },
  {
    name: 'counts the handlers that ran and those that failed',
    async run({ serve }) {
      const { send } = await serve({
        register: (webhooks) =>
          webhooks
            .on('user.created', () => undefined)
            .on('user.*', () => Promise.reject(new Error('the CRM is down')))
            .on('*', () => undefined),
      });
      expect(await send(signed(bodyOf()))).toEqual(accepted('failed', 3, 1));
    },
  },
  {
    name: 'acknowledges an unhandled event of a known or a new type',
    async run({ serve }) {
      const { send } = await serve({ register: (webhooks) => webhooks.on('user.deleted', () => undefined) });
      expect(await send(signed(bodyOf()))).toEqual(accepted('unhandled'));
      expect(await send(signed(bodyOf({ type: 'brand.new', api_version: '9.9' })))).toEqual(accepted('unhandled'));
    },
  },
  {
    name: 'responds 202 once the queue has the exact bytes, which a worker then runs',
    async run({ serve }) {
      const queue = inTestQueue();
      const { send, webhooks, runs } = await serve({ queue });
      const body = Buffer.from(bodyOf().toString().replaceAll(',', ' , '));
      expect(await send(forged(body))).toEqual(refused('invalid_signature'));
      expect(await send(signed(body))).toEqual(accepted('queued'));
      expect(await send(signed(body))).toEqual(accepted('duplicate'));
      expect(await send(signed(bodyOf()))).toEqual(refused('id_conflict'));
      expect(queue.kept.map((kept) => Buffer.from(kept.body))).toEqual([body]);
      expect(runs()).toBe(0);
      await webhooks.start();
      expect(runs()).toBe(1);
    },
  },
  {
    name: 'responds 503 while another process has the event, and the outcome once it is released',
    async run({ serve }) {
      const store = memoryStore();
      const { send, runs } = await serve({ store });
      const claim = await store.claim('evt_1', { leaseMs: 60_000, bodyHash: sha256(bodyOf()) });
      expect(await send(signed(bodyOf()))).toEqual(refused('in_progress'));
      expect(runs()).toBe(0);
      if (claim.status === 'acquired') await store.fail('evt_1', claim.token, {});
      expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
    },
  },
  {
    name: 'responds 409 for a known id with a different body and does not run it',
    async run({ serve }) {
      const { send, runs } = await serve();
      expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
      expect(await send(signed(bodyOf({ created: 2 })))).toEqual(refused('id_conflict'));
      expect(runs()).toBe(1);
    },
  },
  {
    name: 'responds 500 when a handler failed and runs it again on the next delivery',
    async run({ serve }) {
      let left = 1;
      const { send } = await serve({
        register: (webhooks) =>
          webhooks.on('*', () => {
            if (left-- > 0) throw new Error('the CRM is down');
          }),
      });
      expect(await send(signed(bodyOf()))).toEqual(accepted('failed', 1, 1));
      expect(await send(signed(bodyOf()))).toEqual(accepted('processed', 1));
    },
  },
];

const refusedCases: readonly AdapterCase[] = [
  {
    name: 'responds identically to a missing, a malformed and a wrong signature and runs nothing',
    async run({ serve }) {
      const { send, runs } = await serve();
      const body = bodyOf();
      const good = sign(body);
      const bad: readonly RawRequest[] = [
        { pieces: [body] },
        withSignature('', body),
        withSignature(good.toUpperCase(), body),
        withSignature(`SHA256=${good.slice(7)}`, body),
        withSignature(good.slice(0, -1), body),
        withSignature(`${good}0`, body),
        withSignature(`${good},`, body),
        withSignature(`v1=1, ${good}`, body),
        withSignature(good.slice(7), body),
        withSignature(good.replace('256', '512'), body),
        forged(body),
        withSignature(sign(`${body} `), body),
      ];
      for (const request of bad) {
        expect(await send(request), JSON.stringify(request.headers)).toEqual(refused('invalid_signature'));
      }
      expect(runs()).toBe(0);
      expect(await send(signed(body))).toEqual(accepted('processed', 1));
    },
  },
  {
    name: 'responds 400 to signed bytes that are not an event, without quoting them',
    async run({ serve }) {
      const { send, runs } = await serve();
      const bodies = {
        invalid_json: ['', '{"id":', 'hello', '[', '['.repeat(100_000)],
        invalid_envelope: [
          '[]',
          'null',
          '"<script>"',
          bodyOf({ id: '' }),
          bodyOf({ id: 'evt_\u0007' }),
          bodyOf({ id: ['evt_1'] }),
          bodyOf({ type: 7 }),
          bodyOf({ created: 1_709_280_000_000 }),
          bodyOf({ data: [] }),
        ],
      } as const;
      for (const [code, texts] of Object.entries(bodies)) {
        for (const text of texts) {
          const reply = await send(signed(Buffer.from(text)));
          expect(reply, String(text).slice(0, 40)).toEqual(refused(code as keyof typeof bodies));
          expect(await send(forged(Buffer.from(text)))).toEqual(refused('invalid_signature'));
        }
      }
      expect(runs()).toBe(0);
    },
  },
  {
    name: 'responds 400 to an event that is too old or too new',
    async run({ serve }) {
      const { send, runs } = await serve({ maxAgeSeconds: 60, now: () => 1_709_280_000_000 });
      expect(await send(signed(bodyOf({ created: 1_709_279_939 })))).toEqual(refused('too_old'));
      expect(await send(signed(bodyOf({ created: 1_709_280_301 })))).toEqual(refused('too_new'));
      expect(runs()).toBe(0);
      expect(await send(signed(bodyOf({ id: 'evt_2', created: 1_709_279_940 })))).toEqual(accepted('processed', 1));
      expect(await send(signed(bodyOf({ id: 'evt_3', created: 1_709_280_300 })))).toEqual(accepted('processed', 1));
    },
  },
  {
    name: 'responds 422 to data that departs from its schema when validation rejects it',
    async run({ serve }) {
      const strict = await serve({ validation: 'reject' });
      expect(await strict.send(signed(bodyOf({ data: {} })))).toEqual(refused('invalid_data'));
      expect(strict.runs()).toBe(0);
      const { send } = await serve();
      expect(await send(signed(bodyOf({ data: {} })))).toEqual(accepted('processed', 1));
    },
  },
  {
    name: 'responds 413 to an oversized body, announced or not, and accepts one at the limit',
    async run({ serve }) {
      const { send, runs, webhooks } = await serve({ maxBodyBytes: 1000 });
      const most = Buffer.concat([bodyOf(), Buffer.alloc(1000, ' ')]).subarray(0, 1000);
      const over = Buffer.concat([most, Buffer.from(' ')]);
      expect(await send(signed(over))).toEqual(refused('body_too_large'));
      const chunked = { pieces: piecesOf(over, 100), framing: 'chunked' } as const;
      expect(await send(signed(over, chunked))).toEqual(refused('body_too_large'));
      expect(runs()).toBe(0);
      expect(await send(signed(most))).toEqual(accepted('processed', 1));
      expect(webhooks.metrics.getStats().rejected).toEqual({ body_too_large: 2 });
    },
  },
  {
    name: 'responds 415 to an encoded body and inflates nothing',
    async run({ serve }) {
      const { send, runs } = await serve();
      const encodings = ['gzip', 'br', 'deflate', 'identity, gzip', 'x'];
      for (const encoding of encodings) {
        const headers: HeaderLine[] = [['content-encoding', encoding]];
        expect(await send(signed(bodyOf(), { headers })), encoding).toEqual(refused('unsupported_encoding'));
      }
      expect(runs()).toBe(0);
      expect(await send(signed(bodyOf(), { headers: [['content-encoding', 'Identity']] }))).toEqual(
        accepted('processed', 1),
      );
    },
  },
  {
    name: 'rejects in the documented order',
    async run({ serve }) {
      const { send } = await serve({ maxBodyBytes: 1000 });
      const large = { pieces: [Buffer.alloc(1001, ' ')] };
      const gzip: HeaderLine = ['content-encoding', 'gzip'];
      expect(await send({ ...large, headers: [gzip] })).toEqual(refused('unsupported_encoding'));
      expect(await send(large)).toEqual(refused('body_too_large'));
      expect(await send({ pieces: [Buffer.from('{')] })).toEqual(refused('invalid_signature'));
      expect(await send(signed(Buffer.from('{')))).toEqual(refused('invalid_json'));
    },
  },
];

const unavailableCases: readonly AdapterCase[] = [
  {
    name: 'responds 503 when the store, the queue or the secret is unavailable',
    async run({ serve }) {
      const broken = [
        ['store_unavailable', { store: storeWith({ claim: down }) }],
        ['queue_unavailable', { queue: inTestQueue({ enqueue: down as WebhookQueue['enqueue'] }) }],
        ['secret_unavailable', { secret: down }],
      ] as const;
      for (const [code, options] of broken) {
        const { send, runs } = await serve(options);
        expect(await send(signed(bodyOf()))).toEqual(refused(code));
        expect(runs()).toBe(0);
      }
    },
  },
];

function methodCases({ methodsOfTheRouter = [] }: AdapterTraits): readonly AdapterCase[] {
  return METHODS.filter((method) => !methodsOfTheRouter.includes(method)).map((method) => ({
    name: `responds 405 to ${method}, whatever else is wrong with it, without waiting for its body`,
    async run({ serve }) {
      const { send, open, url, runs } = await serve();
      const allowed = refused('method_not_allowed');
      const expected = method === 'HEAD' ? { ...allowed, body: '' } : allowed;
      expect(await send({ method, framing: 'none' })).toEqual(expected);
      const encoded: HeaderLine[] = [['content-encoding', 'gzip']];
      expect(await send(signed(bodyOf(), { method, headers: encoded }))).toEqual(expected);
      const connection = await open();
      await connection.write(headOf(url, signed(bodyOf(), { method })));
      expect(await connection.reply(method)).toEqual(expected);
      connection.destroy();
      expect(runs()).toBe(0);
    },
  }));
}
