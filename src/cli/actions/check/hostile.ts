import { type Bench, isAccepted, isRefused } from './bench.ts';
import { type Case, type Finding, failed, passed, warning } from './case.ts';

const LARGE_BYTES = 8_388_608;
const DEEP = 100_000;
const SURVIVE = 'Catch what parsing throws, and answer 400.';

/** Cases of things that a receiver has to survive. */
export const HOSTILE: readonly Case[] = [
  {
    id: 'bad_json',
    title: 'a signed body that is no event is refused, and survived',
    why: 'A fault of the sender would otherwise be a crash of yours, again with every retry.',
    cure: SURVIVE,
    run: (bench) =>
      survived(
        bench,
        ['{"id":', 'hello', 'null', '[]', '', '{"id":7}', '\ud800'].map((text) => Buffer.from(text, 'latin1')),
      ),
  },
  {
    id: 'deep_json',
    title: 'signed JSON of great depth is survived',
    why: 'Parsers that recurse run out of stack, which ends whole processes.',
    cure: `${SURVIVE} Limit the depth.`,
    run: (bench) =>
      survived(bench, [
        Buffer.from(`${'{"a":'.repeat(DEEP / 5)}1${'}'.repeat(DEEP / 5)}`),
        Buffer.from('['.repeat(DEEP)),
      ]),
  },
  {
    id: 'bom',
    title: 'a signed body behind a byte order mark is survived',
    why: 'Some editors and gateways put one in front; JSON has none.',
    cure: SURVIVE,
    run: async (bench) => {
      const { body } = bench.sample('auth.login');
      const { status, said } = await bench.send(bench.signed(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body])));
      if (isAccepted(status) || isRefused(status)) return alive(bench, `answered ${said}`);
      return faulty(bench, `it was answered ${said}`);
    },
  },
  {
    id: 'other_methods',
    title: 'other methods deliver nothing',
    why: 'A route that answers everything is easily called by what was meant for another.',
    cure: 'Route POST only, and answer 405 to the rest.',
    async run(bench) {
      const { headers, body } = bench.sample('user.created');
      const answers: string[] = [];
      for (const method of ['PUT', 'PATCH', 'DELETE']) {
        const { status, said } = await bench.send({ method, headers, body });
        answers.push(`${method} ${said}`);
        if (isAccepted(status)) return failed(`${method} with a signed event was answered ${said}`);
        if (!isRefused(status)) return faulty(bench, `${method} was answered ${said}`);
      }
      const { status, said } = await bench.send({ method: 'GET', headers: {} });
      if (!isAccepted(status) && !isRefused(status)) return faulty(bench, `GET was answered ${said}`);
      return passed(answers.join(', '));
    },
  },
  {
    id: 'oversized',
    title: 'a forged body of 8 MiB is refused, and survived',
    why: 'Anybody could fill the memory: the signature can be checked only once all of it was read.',
    cure: 'Limit what you read to 1 MiB.',
    async run(bench) {
      const headers = { 'content-type': 'application/json', 'x-pathfinder-signature': `sha256=${'0'.repeat(64)}` };
      const { status, said } = await bench.forge({ headers, body: Buffer.alloc(LARGE_BYTES, 0x20) });
      if (isAccepted(status)) return failed(`it was answered ${said}`);
      // Hanging up in the middle is a refusal as well.
      if (status === 0 || isRefused(status)) return alive(bench, `answered ${said}`);
      return faulty(bench, `it was answered ${said}`);
    },
  },
  {
    id: 'aborted_body',
    title: 'a body that breaks off is survived, and nothing is made of it',
    why: 'Connections break. Half an event is none, and what waits for the rest for ever is a leak.',
    cure: 'Handle the end of a request that never was complete.',
    async run(bench) {
      const delivery = bench.sample('user.created');
      const { headers, body } = delivery;
      for (const share of [0, 0.5, 0.99]) {
        await bench.send({
          headers: { ...headers, 'content-length': String(body.length) },
          write(request) {
            request.write(body.subarray(0, Math.floor(body.length * share)));
            setTimeout(() => request.destroy(), 30);
          },
        });
      }
      const { effects } = bench.options;
      if (effects !== undefined && (await bench.effectsOf(delivery.event.id)) > 0)
        return failed('it acted on half an event');
      return alive(bench, 'three of them');
    },
  },
];

// Signed rubbish can only come from the sender itself, so a fault lets nobody in: it is a warning as long as it is survived.
async function survived(bench: Bench, bodies: readonly Buffer[]): Promise<Finding> {
  const faults: string[] = [];
  for (const [i, body] of bodies.entries()) {
    const { status, said } = await bench.send(bench.signed(body));
    if (!isAccepted(status) && !isRefused(status))
      faults.push(`number ${i + 1} of ${bodies.length} was answered ${said}`);
  }
  const [first] = faults;
  return first === undefined ? alive(bench, `${bodies.length} of them`) : faulty(bench, first);
}

async function faulty(bench: Bench, detail: string): Promise<Finding> {
  if (await bench.isAlive()) return warning(detail, SURVIVE);
  return failed(`${detail}, and it takes no events any more`);
}

async function alive(bench: Bench, detail: string): Promise<Finding> {
  return (await bench.isAlive()) ? passed(detail) : failed('it takes no events any more');
}
