import { importBuilt } from './built.ts';
import { compare, type Gate, printTable } from './harness.ts';
import { SECRET, sign, verifyAsUsual } from './usual.ts';

const MEBIBYTE = 1_048_576;
const TIMES = 8;

/** What a signed megabyte that is built to be slow costs, beside the usual ten lines and a bare `JSON.parse`. */
export async function benchHostile(): Promise<Gate[]> {
  const { WebhookHandler } = await importBuilt();
  const bodies: Readonly<Record<string, string>> = {
    brackets: '['.repeat(MEBIBYTE),
    'quotes and backslashes': `{"id":"${'\\"'.repeat(MEBIBYTE / 2 - 8)}"}`,
    'a wide list': `{"id":[${'0,'.repeat(MEBIBYTE / 2 - 8)}0]}`,
    'many keys': `{${Array.from({ length: 80_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
  };
  const gates: Gate[] = [];
  for (const [name, text] of Object.entries(bodies)) {
    const body = Buffer.from(text);
    const header = sign(body);
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const webhooks = new WebhookHandler({ secret: SECRET, logger });
    const timings = await compare(
      [
        {
          name: 'createHmac, timingSafeEqual and JSON.parse',
          run() {
            for (let i = 0; i < TIMES; i++) if (verifyAsUsual(body, header, SECRET)) parse(body);
          },
        },
        {
          name: 'WebhookHandler.handle, which refuses it',
          async run() {
            for (let i = 0; i < TIMES; i++) await webhooks.handle(body, header).catch(() => undefined);
          },
        },
      ],
      TIMES,
      15,
    );
    printTable(`A megabyte of ${name} (CPU per delivery; ratio to the first)`, timings);
    gates.push({ what: `a megabyte of ${name}`, ratio: timings[1]?.ratio ?? 0, least: 0.5 });
  }
  return gates;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
