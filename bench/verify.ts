import { createHmac } from 'node:crypto';
import { Webhooks } from '@octokit/webhooks';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { importBuilt } from './built.ts';
import { type Contender, compare, type Gate, printTable } from './harness.ts';
import { eventBody, SECRET, sign, verifyAsUsual } from './usual.ts';

const LEAST: readonly (readonly [bytes: number, least: number, times: number])[] = [
  [250, 1.5, 6000],
  [1000, 1.5, 6000],
  [10_000, 1.1, 2500],
  [100_000, 0.97, 300],
  [1_000_000, 0.97, 30],
];

/** `verifyWebhookSignature` and the peers' own verification beside the usual ten lines, on the same bytes. */
export async function benchVerify(): Promise<Gate[]> {
  const { verifyWebhookSignature } = await importBuilt();
  const gates: Gate[] = [];
  for (const [bytes, least, times] of LEAST) {
    const body = eventBody('evt_1', bytes);
    const header = sign(body);
    const contenders: Contender[] = [
      repeat('createHmac and timingSafeEqual', () => verifyAsUsual(body, header, SECRET)),
      repeat('verifyWebhookSignature', () => verifyWebhookSignature(body, header, SECRET)),
      ...(bytes <= 10_000 ? peers(body) : []),
    ];
    const timings = await compare(contenders, times);
    printTable(`Verification of ${bytes} bytes (CPU per call; ratio to the first)`, timings);
    gates.push({ what: `verifyWebhookSignature at ${bytes} bytes`, ratio: timings[1]?.ratio ?? 0, least });
  }
  return gates;
}

function repeat(name: string, work: () => unknown): Contender {
  return {
    name,
    run(_, times) {
      for (let i = 0; i < times; i++) if (!work()) throw new Error(`${name} refused a good signature`);
    },
  };
}

// Each with its own scheme and headers; all but octokit's parse the JSON as well.
function peers(body: Buffer): Contender[] {
  const text = body.toString();
  const octokit = new Webhooks({ secret: SECRET });
  const octokitHeader = sign(body);
  const seconds = Math.floor(Date.now() / 1000);
  const stripeHeader = `t=${seconds},v1=${createHmac('sha256', SECRET).update(`${seconds}.${text}`).digest('hex')}`;
  const stripe = new Stripe('sk_test_none');
  const key = Buffer.from(SECRET).toString('base64');
  const standard = new StandardWebhook(key);
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(seconds),
    'webhook-signature': standard.sign('msg_1', new Date(seconds * 1000), text),
  };
  const svix = new SvixWebhook(key);
  return [
    {
      name: '@octokit/webhooks verify',
      async run(_, times) {
        for (let i = 0; i < times; i++) await octokit.verify(text, octokitHeader);
      },
    },
    repeat('stripe constructEvent', () => stripe.webhooks.constructEvent(body, stripeHeader, SECRET, 1e6)),
    repeat('standardwebhooks verify', () => standard.verify(text, headers)),
    repeat('svix verify', () => svix.verify(text, headers)),
  ];
}
