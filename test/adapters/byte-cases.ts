import fc from 'fast-check';
import { expect } from 'vitest';
import { bodyOf, sign } from '../support/deliver.ts';
import {
  type AdapterCase,
  type AdapterTraits,
  accepted,
  forged,
  type ParserTrait,
  refused,
  sha256,
  signed,
  withSignature,
} from './harness.ts';
import type { HeaderLine } from './raw-client.ts';

const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/octet-stream',
  undefined,
] as const;

/** The bytes that were sent are the bytes that are verified, whatever they are called and whoever stands before. */
export function byteCases({ parsers = [] }: AdapterTraits): readonly AdapterCase[] {
  return [...plainCases, ...pathCases, ...environmentCases, ...parsers.map(parserCase)];
}

const plainCases: readonly AdapterCase[] = [
  {
    name: 'verifies any bytes in any pieces',
    async run({ serve }) {
      const { send, hashes } = await serve();
      const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 20 });
      const framing = fc.constantFrom('length', 'chunked');
      const property = fc.asyncProperty(pieces, framing, async (pieces, framing) => {
        // No JSON, whatever follows, so that the reply shows whether the signature was found good.
        const start = Buffer.from('{{');
        const body = Buffer.concat([start, ...pieces]);
        const sent = { pieces: [start, ...pieces], framing };
        expect(await send(signed(body, sent))).toEqual(refused('invalid_json'));
        expect(hashes.at(-1)).toBe(sha256(body));
        expect(await send(forged(body, sent))).toEqual(refused('invalid_signature'));
      });
      await fc.assert(property, { numRuns: 50 });
    },
  },
  {
    name: 'passes the exact bytes to the handler',
    async run({ serve }) {
      const bodies: string[] = [];
      const { send } = await serve({ register: (to) => to.on('*', (_, { rawBody }) => bodies.push(sha256(rawBody))) });
      const body = Buffer.from(` ${JSON.stringify(JSON.parse(bodyOf().toString()), undefined, '\t')}\r\n`);
      expect(await send(signed(body))).toEqual(accepted('processed', 1));
      expect(bodies).toEqual([sha256(body)]);
    },
  },
  ...CONTENT_TYPES.map(
    (type) =>
      ({
        name: `accepts the content type ${type ?? '(none)'}`,
        async run({ serve }) {
          const { send } = await serve();
          expect(await send(signed(bodyOf(), { headers: typeLine(type) }))).toEqual(accepted('processed', 1));
          expect(await send(forged(bodyOf(), { headers: typeLine(type) }))).toEqual(refused('invalid_signature'));
        },
      }) satisfies AdapterCase,
  ),
  {
    name: 'reads UTF-8 whatever charset the unsigned header claims',
    async run({ serve }) {
      const seen: unknown[] = [];
      const { send } = await serve({ register: (webhooks) => webhooks.on('*', ({ data }) => seen.push(data)) });
      const data = { user: { id: 'u', username: 'x+ACI-,+ACI-role+ACI-:+ACI-admin', email: 'é' } };
      for (const charset of ['utf-7', 'utf-16le', 'latin1', 'nonsense']) {
        const headers = typeLine(`application/json; charset=${charset}`);
        expect(await send(signed(bodyOf({ id: charset, data }), { headers }))).toEqual(accepted('processed', 1));
        expect(seen.pop()).toEqual(data);
      }
    },
  },
  {
    name: 'accepts a byte order mark, which is part of the signed bytes',
    async run({ serve }) {
      const { send, runs } = await serve();
      const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bodyOf()]);
      expect(await send(withSignature(sign(bodyOf()), marked))).toEqual(refused('invalid_signature'));
      expect(await send(withSignature(sign(marked), bodyOf()))).toEqual(refused('invalid_signature'));
      expect(runs()).toBe(0);
      expect(await send(signed(marked))).toEqual(accepted('processed', 1));
    },
  },
  {
    name: 'distinguishes a replacement character from the byte that it replaces',
    async run({ serve }) {
      const { send, runs } = await serve();
      const [before = '', after = ''] = bodyOf().toString().split('ada@');
      const broken = Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)]);
      const replaced = Buffer.from(broken.toString());
      expect(await send(withSignature(sign(replaced), broken))).toEqual(refused('invalid_signature'));
      expect(await send(withSignature(sign(broken), replaced))).toEqual(refused('invalid_signature'));
      expect(await send(signed(broken))).toEqual(refused('invalid_json'));
      expect(runs()).toBe(0);
      expect(await send(signed(replaced))).toEqual(accepted('processed', 1));
    },
  },
];

const pathCases: readonly AdapterCase[] = [
  {
    name: 'verifies on every spelling of its path that the router accepts',
    async run({ serve }) {
      const served = await serve();
      const { pathname, host } = new URL(served.url);
      const encoded = `/%${pathname.charCodeAt(1).toString(16)}${pathname.slice(2)}`;
      const targets = [
        pathname.toUpperCase(),
        `${pathname}/`,
        `/${pathname}`,
        `${pathname}?x=1`,
        `${pathname}#x`,
        `/x/..${pathname}`,
        encoded,
        pathname.replace(/(?!^)\/|s/, '%2f'),
        `http://${host}${pathname}`,
        `http://evil.example${pathname}`,
      ];
      const rewrite: HeaderLine[] = [
        ['x-original-url', pathname],
        ['x-middleware-subrequest', 'middleware:middleware:middleware:middleware:middleware'],
      ];
      let handled = 0;
      for (const [i, target] of [...targets, pathname].entries()) {
        const bad = await served.send(forged(bodyOf(), { target, headers: rewrite }));
        expect(served.runs(), target).toBe(handled);
        const good = await served.send(signed(bodyOf({ id: `evt_${i}` }), { target, headers: rewrite }));
        if (good.status === 200) handled++;
        const statuses = [bad.status, good.status];
        expect(
          [
            [401, 200],
            [404, 404],
            [400, 400],
            [308, 308],
          ],
          target,
        ).toContainEqual(statuses);
        expect(served.runs(), target).toBe(handled);
      }
      expect(handled).toBeGreaterThan(0);
    },
  },
];

const environmentCases: readonly AdapterCase[] = [undefined, 'development', 'production'].map((environment) => ({
  name: `shows nothing of a handler's error with NODE_ENV ${environment ?? 'unset'}`,
  async run({ serve }) {
    const before = process.env.NODE_ENV;
    setEnvironment(environment);
    try {
      const { send, log } = await serve({
        register: (webhooks) =>
          webhooks.on('*', () => {
            throw new Error('the password is hunter2');
          }),
      });
      expect(await send(forged(bodyOf()))).toEqual(refused('invalid_signature'));
      expect(await send(signed(bodyOf()))).toEqual(accepted('failed', 1, 1));
      expect(log.map(({ fields }) => String(fields.err))).toEqual(['Error: the password is hunter2']);
    } finally {
      setEnvironment(before);
    }
  },
}));

function setEnvironment(environment: string | undefined): void {
  if (environment === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = environment;
}

function parserCase({ name, takes, keepsBytes }: ParserTrait): AdapterCase {
  return {
    name: `behind ${name}: uses the bytes, or reports at once that they are gone`,
    async run({ serve }) {
      for (const type of CONTENT_TYPES) {
        const { send, runs, log } = await serve({ parser: name });
        const gone = takes(type) && !keepsBytes;
        const headers = typeLine(type);
        const answers = [await send(forged(bodyOf(), { headers })), await send(signed(bodyOf(), { headers }))];
        const expected = gone
          ? [refused('body_already_parsed'), refused('body_already_parsed')]
          : [refused('invalid_signature'), accepted('processed', 1)];
        expect(answers, type).toEqual(expected);
        expect(runs(), type).toBe(gone ? 0 : 1);
        const cure = expect.stringContaining('Mount the route before express.json()');
        expect(log.map(({ message }) => message)).toEqual(gone ? [cure, cure] : []);
      }
    },
  };
}

function typeLine(type: string | undefined): HeaderLine[] {
  return type === undefined ? [] : [['content-type', type]];
}
