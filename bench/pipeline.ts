import { Webhooks } from '@octokit/webhooks';
import { importBuilt } from './built.ts';
import { collectYoungGarbage, compare, type Gate, printTable } from './harness.ts';
import { eventBody, SECRET, sign, verifyAsUsual } from './usual.ts';

const TIMES = 1500;
const KINDS = 5;

/** A whole delivery with one handler and a fresh id, beside the usual ten lines that only verify. */
export async function benchPipeline(): Promise<Gate[]> {
  const { WebhookHandler } = await importBuilt();
  const webhooks = new WebhookHandler({ secret: SECRET });
  webhooks.on('user.created', () => undefined);
  const octokit = new Webhooks({ secret: SECRET });
  octokit.on('push', () => undefined);
  let made = 0;
  // Made outside the timed part, one set a round: each contender sees bodies of its own.
  let deliveries: (readonly [Buffer, string])[][] = [];
  let preparedRound = -1;
  const inputs = (round: number, kind: number) => {
    if (round !== preparedRound) {
      deliveries = Array.from({ length: KINDS }, () =>
        Array.from({ length: TIMES }, () => {
          // Of the documented length: the engine keeps a table of strings up to ten characters.
          const body = eventBody(`evt_${String(made++).padStart(10, '0')}`, 1000);
          // One flat string, as it comes off a socket.
          return [body, Buffer.from(sign(body)).toString('latin1')] as const;
        }),
      );
      preparedRound = round;
      // Twice makes them old, so that nobody's collection copies them.
      collectYoungGarbage();
      collectYoungGarbage();
    }
    return deliveries[kind] ?? [];
  };
  const timings = await compare(
    [
      { name: '(makes the deliveries)', run: (round) => void inputs(round, 0) },
      {
        name: 'createHmac and timingSafeEqual alone',
        run(round) {
          for (const [body, header] of inputs(round, 1)) verifyAsUsual(body, header, SECRET);
        },
      },
      {
        name: 'the same, and JSON.parse',
        run(round) {
          for (const [body, header] of inputs(round, 2))
            if (verifyAsUsual(body, header, SECRET)) JSON.parse(body.toString());
        },
      },
      {
        name: 'WebhookHandler.handle, one handler, fresh ids',
        async run(round) {
          for (const [body, header] of inputs(round, 3)) await webhooks.handle(body, header);
        },
      },
      {
        name: '@octokit/webhooks verifyAndReceive',
        async run(round) {
          for (const [body, signature] of inputs(round, 4)) {
            await octokit.verifyAndReceive({ id: 'x', name: 'push', payload: body.toString(), signature });
          }
        },
      },
    ],
    TIMES,
    31,
  );
  const [, usual] = timings;
  const relative = timings
    .slice(1)
    .map((timing) => ({ ...timing, ratio: (usual?.microseconds ?? 0) / timing.microseconds }));
  printTable('A delivery of 1 kB (CPU per delivery; ratio to the first)', relative);
  return [{ what: 'handle, against verification alone', ratio: relative[2]?.ratio ?? 0, least: 0.4 }];
}
