import { gzipSync } from 'node:zlib';
import type { Outgoing } from '../../support/exchange.ts';
import { type Bench, isAccepted, isRefused, signatureOf } from './bench.ts';
import { type Case, type Finding, failed, passed, warning } from './case.ts';

const SIGNATURE = 'x-pathfinder-signature';
const FORGED = 'Anybody who knows the URL can then send events of their own making.';
const REFUSE = 'Answer 401 unless the signature is right.';

/** Cases of things that a receiver must not let in. */
export const FORGERIES: readonly Case[] = [
  {
    id: 'missing_signature',
    title: 'no signature is refused',
    why: FORGED,
    cure: REFUSE,
    async run(bench) {
      const { headers, body } = bench.sample('user.created').unsigned();
      const answer = await bench.forge({ headers, body });
      if (isAccepted(answer.status)) return failed(`it was answered ${answer.said}`);
      if (isRefused(answer.status)) return passed(`answered ${answer.said}`);
      return warning(
        `nothing got in, but it was answered ${answer.said}`,
        'Answer 401: what is no fault of yours should not look like one.',
      );
    },
  },
  {
    id: 'malformed_signature',
    title: 'signatures of another shape are refused',
    why: 'Comparing in constant time throws on another length in many languages: each such request is then a crash that anybody can cause.',
    cure: 'Check the shape (sha256= and 64 hex digits) before you compare.',
    run: (bench) => {
      const { headers, body } = bench.sample('user.created');
      const right = headers[SIGNATURE] ?? '';
      const shapes = [
        '',
        'sha256=',
        'sha256=00',
        right.slice(0, -1),
        `${right}0`,
        'null',
        `sha256=${'z'.repeat(64)}`,
        `sha256=${'0'.repeat(500)}`,
      ];
      const forgeries = shapes.map((shape) => ({ headers: { ...headers, [SIGNATURE]: shape }, body }));
      return allRefused(bench, forgeries, `${shapes.length} shapes`);
    },
  },
  {
    id: 'wrong_key',
    title: 'the signature of another secret is refused',
    why: FORGED,
    cure: REFUSE,
    run: (bench) => {
      const { body } = bench.sample('user.created');
      const keys = ['another-secret', '', ' ', 'null', 'undefined', `${bench.options.secret}\n`];
      return allRefused(
        bench,
        keys.map((key) => bench.signed(Buffer.from(body), key)),
        `${keys.length} keys`,
      );
    },
  },
  {
    id: 'altered',
    title: 'a body that was altered after signing is refused',
    why: 'Whoever sits in between, or has seen one delivery, can then write what they like.',
    cure: 'Hash the bytes that arrived, and compare all of the digest.',
    run: (bench) => {
      const delivery = bench.sample('user.created');
      const { headers, body } = delivery;
      const text = Buffer.from(body).toString('utf8');
      // All of them are JSON still. What is none is for `parses_after_verifying`.
      const bodies = [
        delivery.tampered().body,
        Buffer.from(JSON.stringify(JSON.parse(text), undefined, 1)),
        Buffer.from(`${text}\n`),
        Buffer.from(text.replace('user', '\\u0075ser')),
      ];
      return allRefused(
        bench,
        bodies.map((altered) => ({ headers, body: altered })),
        `${bodies.length} alterations`,
      );
    },
  },
  {
    id: 'two_signatures',
    rests: ['malformed_signature'],
    title: 'two wrong signatures are refused, and two of which one is right break nothing',
    why: 'Frameworks join or drop repeated headers; comparing a list with a text throws, or is true by chance.',
    cure: 'Take the header only if it is one text.',
    async run(bench) {
      const { headers, body } = bench.sample('user.created');
      const right = headers[SIGNATURE] ?? '';
      const wrong = signatureOf(body, 'another-secret');
      const forged = await allRefused(
        bench,
        [{ headers: { ...headers, [SIGNATURE]: [wrong, wrong] }, body }],
        'two wrong ones',
      );
      if (forged.state !== 'passed') return forged;
      for (const both of [
        [right, wrong],
        [wrong, right],
      ]) {
        const { status, said } = await bench.send({ headers: { ...headers, [SIGNATURE]: both }, body });
        if (!isAccepted(status) && !isRefused(status)) return failed(`a right and a wrong one were answered ${said}`);
      }
      return passed('two wrong ones refused');
    },
  },
  {
    id: 'parses_after_verifying',
    title: 'a forged body is refused alike, whether it is JSON or not',
    why: 'Where answers differ, something parses before the signature is checked: bugs of the parser are open to everybody.',
    cure: 'Verify first; parse what is verified.',
    async run(bench) {
      const { headers, body } = bench.sample('user.created').tampered();
      const expected = await bench.forge({ headers, body });
      for (const [what, bytes] of Object.entries(noJson(body))) {
        const answer = await bench.forge({ headers, body: bytes });
        if (isAccepted(answer.status)) return failed(`${what} with a wrong signature was answered ${answer.said}`);
        if (answer.status === expected.status) continue;
        return failed(`a forged event was answered ${expected.said}, forged ${what} ${answer.said}`);
      }
      return passed(`answered ${expected.said}, all of them`);
    },
  },
  {
    id: 'compressed',
    rests: ['parses_after_verifying'],
    title: 'a compressed forgery is refused',
    why: 'Middleware that unpacks a body does so before anybody has checked it.',
    cure: 'Switch decompression off on the route, or limit it.',
    run: (bench) => {
      const body = gzipSync(bench.sample('user.created').body);
      const bomb = gzipSync(Buffer.alloc(4_194_304));
      const headers = {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        [SIGNATURE]: `sha256=${'0'.repeat(64)}`,
      };
      return allRefused(
        bench,
        [
          { headers, body },
          { headers, body: bomb },
        ],
        'gzip, and 4 MiB in 4 kB',
      );
    },
  },
];

/** Bodies that a JSON parser stumbles over. */
function noJson(body: Uint8Array): Readonly<Record<string, Buffer>> {
  return {
    'bad JSON': Buffer.from('{"id":'),
    text: Buffer.from('hello'),
    'deep JSON': Buffer.from(`${'['.repeat(20_000)}${']'.repeat(20_000)}`),
    'JSON that is no event': Buffer.from('null'),
    'bytes that are no UTF-8': Buffer.from([0x22, 0xff, 0xfe, 0x22]),
    'JSON behind a byte order mark': Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]),
    'JSON in UTF-16': Buffer.from(Buffer.from(body).toString('utf8'), 'utf16le'),
    'JSON that was cut short': Buffer.from(body.subarray(0, -1)),
    'an empty body': Buffer.alloc(0),
  };
}

/** Sends forgeries, each of which has to be refused on purpose: a fault is how a crash looks from outside. */
async function allRefused(bench: Bench, forgeries: readonly Outgoing[], what: string): Promise<Finding> {
  const statuses = new Set<string>();
  for (const [i, forgery] of forgeries.entries()) {
    const { status, said } = await bench.forge(forgery);
    const which = forgeries.length > 1 ? `number ${i + 1} of ${what}` : what;
    if (isAccepted(status)) return failed(`${which} was answered ${said}`, REFUSE);
    if (!isRefused(status)) return failed(`${which} was answered ${said}`);
    statuses.add(said);
  }
  return passed(`${what}: answered ${[...statuses].join(' or ')}`);
}
