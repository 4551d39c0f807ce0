import assert from 'node:assert/strict';
import { bury, bytesOf, deliver, deliverAll, gate, pause, type QueueCase, untilState } from './bench.ts';

/** How a queue starts and stops, and what it says of itself. */
export const lifecycleCases: readonly QueueCase[] = [
  {
    name: 'stopping waits for running events and takes no new ones',
    async run(bench) {
      const webhooks = bench.receiver();
      const { passed, open } = gate();
      const started = gate();
      const ended: string[] = [];
      webhooks.on('*', async ({ id }) => {
        started.open();
        await passed;
        ended.push(id);
      });
      await webhooks.start({ concurrency: 1 });
      await deliver(webhooks, bytesOf('evt_1'));
      await bench.until('the handler to start', started.isOpen);
      const stopped = webhooks.stop({ timeoutMs: 10_000 });
      await deliver(webhooks, bytesOf('evt_2'));
      await pause(50);
      open();
      await stopped;
      assert.deepEqual(ended, ['evt_1']);
      assert.equal((await bench.queue.store.get('evt_1'))?.state, 'done');
      await pause(50);
      assert.deepEqual(ended, ['evt_1']);
      assert.equal((await bench.queue.stats()).ready, 1);
    },
  },
  {
    name: 'an event that outlasts stop is aborted and returned without counting a failure',
    async run(bench) {
      const webhooks = bench.receiver();
      const started = gate();
      const attempts: number[] = [];
      let aborted = false;
      webhooks.on('*', async (_, { signal, attempt }) => {
        attempts.push(attempt);
        started.open();
        if (attempts.length > 1) return;
        await new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(signal.reason);
          });
        });
      });
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      await bench.until('the handler to start', started.isOpen);
      await webhooks.stop({ timeoutMs: 10 });
      assert.equal(aborted, true);
      const row = await bench.queue.store.get('evt_1');
      assert.deepEqual([row?.state, row?.failures], ['free', 0]);
      await webhooks.start();
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.deepEqual(attempts, [1, 1]);
      assert.equal((await bench.queue.stats()).dead, 0);
    },
  },
  {
    name: 'workers cannot be started twice, except after they were stopped',
    async run(bench) {
      const webhooks = bench.receiver();
      webhooks.on('*', () => undefined);
      await webhooks.start();
      await assert.rejects(webhooks.start(), TypeError);
      await webhooks.stop();
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
    },
  },
  {
    name: 'draining runs at most the requested number of ready events and returns their count',
    async run(bench) {
      const webhooks = bench.receiver();
      const seen: string[] = [];
      webhooks.on('*', ({ id }) => void seen.push(id));
      await deliverAll(webhooks, ['evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5']);
      assert.equal(await webhooks.drain({ maxMs: 10_000, max: 2 }), 2);
      assert.equal(seen.length, 2);
      assert.equal(await webhooks.drain({ maxMs: 10_000 }), 3);
      assert.deepEqual(seen.sort(), ['evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5']);
      assert.equal(await webhooks.drain({ maxMs: 10_000 }), 0);
    },
  },
  {
    name: 'draining takes no new events after its time limit and waits for those it took',
    async run(bench) {
      const webhooks = bench.receiver();
      let ended = 0;
      webhooks.on('*', async () => {
        await pause(150);
        ended++;
      });
      const ids = Array.from({ length: 60 }, (_, i) => `evt_${i}`);
      await deliverAll(webhooks, ids);
      assert.equal(await webhooks.drain({ maxMs: 0 }), 0);
      const ran = await webhooks.drain({ maxMs: 100 });
      assert.ok(ran > 0 && ran < 60, `${ran} ran.`);
      assert.equal(ended, ran);
      const { ready, active } = await bench.queue.stats();
      assert.deepEqual([ready, active], [60 - ran, 0]);
    },
  },
  {
    name: 'draining does not wait for an event with a later retry',
    async run(bench) {
      const webhooks = bench.receiver({ retry: { attempts: 5, baseMs: 60_000, jitter: 'none' } });
      webhooks.on('*', () => {
        throw new Error('not now');
      });
      await deliver(webhooks, bytesOf('evt_1'));
      assert.equal(await webhooks.drain({ maxMs: 10_000 }), 1);
      const { ready, active, delayed, dead } = await bench.queue.stats();
      assert.deepEqual({ ready, active, delayed, dead }, { ready: 0, active: 0, delayed: 1, dead: 0 });
    },
  },
  {
    name: 'stats count ready, running and dead events and the age of the oldest ready one',
    async run(bench) {
      const empty = { ready: 0, active: 0, delayed: 0, dead: 0, unhandled: 0, oldestReadyMs: 0 };
      assert.deepEqual(await bench.queue.stats(), empty);
      await bury(bench, 'evt_dead');
      const webhooks = bench.receiver();
      const { passed, open } = gate();
      const started = gate();
      webhooks.on('*', async () => {
        started.open();
        await passed;
      });
      await webhooks.start({ concurrency: 1 });
      await deliverAll(webhooks, ['evt_1']);
      await bench.until('the handler to start', started.isOpen);
      await deliverAll(webhooks, ['evt_2', 'evt_3']);
      await pause(60);
      const { oldestReadyMs, ...numbers } = await bench.queue.stats();
      assert.deepEqual(numbers, { ready: 2, active: 1, delayed: 0, dead: 1, unhandled: 0 });
      assert.ok(oldestReadyMs >= 50 && oldestReadyMs < 10_000, `${oldestReadyMs} ms`);
      open();
      await webhooks.stop();
    },
  },
];
