import { setTimeout as delay } from 'node:timers/promises';
import { WebhookHandler } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET } from '../support/deliver.ts';
import { type NetworkFault, startProxy } from '../support/services/proxy.ts';
import { describeWith } from '../support/services/services.ts';
import { type OutageEngine, outageEngines, STORE_TIMEOUT_MS } from './outage-engines.ts';

const PATIENCE_MS = 15_000;
const OUTAGE_MS = 700;
const QUEUED = answered('queued', 0, 0, 202);
const DUPLICATE = answered('duplicate');
const UNAVAILABLE = refused(503, 'queue_unavailable', RETRY);

interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** A receiver and its workers, whose server is behind a network that fails. */
async function opened(engine: OutageEngine, url: string, attempts = 10) {
  const proxy = await startProxy(new URL(url));
  const through = new URL(url);
  through.port = String(proxy.port);
  const { queue, register, effects, close } = await engine.open(through, new URL(url));
  const logger = recordingLogger();
  const retry = { attempts, baseMs: 20, factor: 1 };
  const webhooks = new WebhookHandler({ secret: SECRET, queue, logger, storeTimeoutMs: STORE_TIMEOUT_MS, retry });
  onTestFinished(async () => {
    proxy.heal();
    await webhooks.stop({ timeoutMs: 1000 });
    await close();
    await proxy.close();
  });
  const receive = (id: string) => webhooks.receive(deliveryOf(bodyOf({ id })));
  /** As the sender does that hears of no success. */
  const receiveInTheEnd = async (id: string) => {
    for (;;) {
      const reply = await receive(id);
      if (reply.status !== 503) return reply;
      await delay(50);
    }
  };
  const untilDone = async (id: string) => {
    const endsAtMs = performance.now() + PATIENCE_MS;
    while (performance.now() < endsAtMs) {
      const row = await queue.store.get(id).catch(() => undefined);
      if (row?.state === 'done') return effects(id);
      await delay(20);
    }
    return 'not done';
  };
  return { proxy, webhooks, register, logger, receive, receiveInTheEnd, untilDone, effects, queue };
}

for (const engine of outageEngines) {
  describeWith(engine.service, `${engine.name} with a failing network`, (url) => {
    const once = engine.transactional ? expect.toSatisfy((made) => made === 1) : expect.toSatisfy((made) => made >= 1);

    describe.each(['reset', 'cut', 'blackhole'] as const)('network fault %s', (fault: NetworkFault) => {
      it('during receipt responds 503 with one log line, and the event is completed after recovery', async () => {
        const { proxy, webhooks, register, logger, receive, receiveInTheEnd, untilDone } = await opened(engine, url);
        register(webhooks, () => undefined);
        expect(await receiveInTheEnd('evt_before')).toEqual(QUEUED);
        proxy.fault(fault);
        expect(await receive('evt_1')).toEqual(UNAVAILABLE);
        expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
          ['warn', 'A verified webhook delivery has a problem'],
        ]);
        proxy.heal();
        const replied = await receiveInTheEnd('evt_1');
        // An event that the server had taken before its answer was lost is known.
        expect([QUEUED, DUPLICATE]).toContainEqual(replied);
        await webhooks.start();
        expect(await untilDone('evt_1')).toEqual(once);
        expect(await untilDone('evt_before')).toEqual(once);
      }, 30_000);

      it.each(['while a handler runs', 'when a handler ends'])(
        'during %s is survived, and the effect happens once after recovery',
        async (when) => {
          const { proxy, webhooks, register, receive, untilDone } = await opened(engine, url);
          const started = gate();
          const { passed, open } = gate();
          register(webhooks, async () => {
            started.open();
            await passed;
          });
          await webhooks.start();
          expect(await receive('evt_1')).toEqual(QUEUED);
          await started.passed;
          proxy.fault(fault);
          if (when === 'when a handler ends') open();
          await delay(OUTAGE_MS);
          proxy.heal();
          open();
          expect(await untilDone('evt_1')).toEqual(once);
        },
        30_000,
      );
    });

    it('a slow network delays events but completes them', async () => {
      const { proxy, webhooks, register, receiveInTheEnd, untilDone } = await opened(engine, url);
      register(webhooks, () => undefined);
      proxy.fault('delay');
      await webhooks.start();
      expect([QUEUED, DUPLICATE]).toContainEqual(await receiveInTheEnd('evt_1'));
      await delay(OUTAGE_MS);
      proxy.heal();
      expect(await untilDone('evt_1')).toEqual(once);
    }, 30_000);

    it('the test detects a queue that acknowledges before it stores', async () => {
      const { proxy, queue, untilDone, register } = await opened(engine, url);
      const hasty = {
        ...queue,
        enqueue: async (...given: Parameters<typeof queue.enqueue>) => {
          queue.enqueue(...given).catch(() => undefined);
          return 'accepted' as const;
        },
      };
      const logger = recordingLogger();
      const webhooks = new WebhookHandler({ secret: SECRET, queue: hasty, logger, storeTimeoutMs: STORE_TIMEOUT_MS });
      onTestFinished(() => webhooks.stop({ timeoutMs: 100 }));
      register(webhooks, () => undefined);
      proxy.fault('reset');
      expect(await webhooks.receive(deliveryOf(bodyOf({ id: 'evt_1' })))).not.toEqual(UNAVAILABLE);
      expect(await Promise.race([untilDone('evt_1'), delay(OUTAGE_MS, 'lost so far')])).toBe('lost so far');
    }, 30_000);
  });
}
