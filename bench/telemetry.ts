import { ProxyTracerProvider } from '@opentelemetry/api';
import type { WebhookHandler } from '@pathfinder/webhooks';
import { importBuiltCopy } from './built.ts';
import { compareToFirst, type Gate } from './harness.ts';
import { eventBody, SECRET, sign } from './usual.ts';

const TIMES = 500;
const MOST_NS = { channels: 150, otel: 2000 };

/** What a delivery costs more that nobody observes, and one that OpenTelemetry would observe if there were an SDK. */
export async function benchTelemetry(): Promise<Gate[]> {
  const without = await importBuiltCopy({ channels: false });
  const again = await importBuiltCopy({ channels: false });
  const unobserved = await importBuiltCopy({ channels: true });
  const idle = await importBuiltCopy({ channels: true });
  const noop = await importBuiltCopy({ channels: true });
  const tracerProvider = new ProxyTracerProvider();
  const contenders = [
    contender('no channels', new without.WebhookHandler(SECRET)),
    contender('no channels, again: the noise', new again.WebhookHandler(SECRET)),
    contender('channels, nobody listens', new unobserved.WebhookHandler(SECRET)),
    contender('otel(), no SDK', new idle.WebhookHandler({ secret: SECRET, telemetry: idle.otel() })),
    contender(
      'otel() with a tracer that does nothing',
      new noop.WebhookHandler({ secret: SECRET, telemetry: noop.otel({ tracerProvider }) }),
    ),
  ];
  const added = (await compareToFirst(contenders, TIMES)).map((microseconds) => Math.round(microseconds * 1000));
  console.log('\nWhat telemetry adds to receive, CPU, to the first');
  for (const [index, { name }] of contenders.entries()) console.log(`  ${name.padEnd(44)} ${added[index]} ns`);
  const [, , channels = 0, otel = 0] = added;
  return [
    atMost('unobserved channels', channels, MOST_NS.channels),
    atMost('otel() without an SDK', otel, MOST_NS.otel),
  ];
}

function atMost(what: string, addedNs: number, mostNs: number): Gate {
  return { what: `${what}: ${mostNs} ns to what it adds`, ratio: mostNs / Math.max(addedNs, 1), least: 1 };
}

function contender(name: string, webhooks: WebhookHandler) {
  webhooks.on('user.created', () => undefined);
  let made = 0;
  let deliveries: ReturnType<typeof deliveryOf>[] = [];
  return {
    name,
    prepare(times: number) {
      // Fresh ids: of a known one no handler would run.
      deliveries = Array.from({ length: times }, () => deliveryOf(`evt_${String(made++).padStart(10, '0')}`));
    },
    async run() {
      for (const delivery of deliveries) await webhooks.receive(delivery);
    },
  };
}

function deliveryOf(id: string) {
  const body = eventBody(id, 300);
  const signature = Buffer.from(sign(body)).toString('latin1');
  const header = (name: string) => (name.toLowerCase() === 'x-pathfinder-signature' ? signature : undefined);
  return { body, method: 'POST', header };
}
