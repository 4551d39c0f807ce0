import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { NonRetryableError, type StandardSchemaV1 } from '../../../index.ts';
import { ATTEMPTS, bytesOf, deliver, deliverAll, gate, pause, QUEUED, type QueueCase, untilState } from './bench.ts';

/** How events are run beside one another. */
export const runCases: readonly QueueCase[] = [
  {
    name: 'a schema that never responds fails its event and blocks no other',
    async run(bench) {
      const receiver = bench.receiver();
      assert.deepEqual(await deliver(receiver, bytesOf('evt_1')), QUEUED);
      const hangs = {
        '~standard': { version: 1, vendor: 'test', validate: () => new Promise<never>(() => undefined) },
      };
      const worker = bench.receiver({
        storeTimeoutMs: 20,
        events: { 'user.created': hangs as unknown as StandardSchemaV1 },
      });
      worker.on('*', () => undefined);
      await worker.start({ concurrency: 1 });
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_1' }));
      assert.deepEqual([letter.reason, letter.failures], ['failed', ATTEMPTS]);
      await deliver(receiver, bytesOf('evt_2', { type: 'user.deleted' }));
      await untilState(bench, 'evt_2', 'done');
    },
  },
  {
    name: 'a handler runs outside the async context of the request that delivered the event or woke the worker',
    async run(bench) {
      const callers = new AsyncLocalStorage<string>();
      const webhooks = bench.receiver();
      const seen: (string | undefined)[] = [];
      webhooks.on('*', function look() {
        seen.push(callers.getStore());
        if (seen.length === 2) throw new NonRetryableError('never');
      });
      await callers.run('started', () => webhooks.start());
      await callers.run('delivered', () => deliver(webhooks, bytesOf('evt_1')));
      await untilState(bench, 'evt_1', 'done');
      await callers.run('delivered', () => deliver(webhooks, bytesOf('evt_2')));
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_2' }));
      assert.equal(await callers.run('replayed', () => bench.queue.deadLetters.replay([letter])), 1);
      await untilState(bench, 'evt_2', 'done');
      await webhooks.stop();
      await deliver(webhooks, bytesOf('evt_3'));
      await callers.run('drained', () => webhooks.drain({ maxMs: 10_000 }));
      assert.deepEqual(seen, [undefined, undefined, undefined, undefined]);
    },
  },
  {
    name: 'events run with exactly the requested concurrency',
    async run(bench) {
      const webhooks = bench.receiver();
      const { passed, open } = gate();
      const full = gate();
      let running = 0;
      let most = 0;
      webhooks.on('user.created', async () => {
        most = Math.max(most, ++running);
        if (running === 3) full.open();
        await passed;
        running--;
      });
      const ids = Array.from({ length: 9 }, (_, i) => `evt_${i}`);
      await deliverAll(webhooks, ids);
      await webhooks.start({ concurrency: 3 });
      await bench.until('all places to be taken', full.isOpen);
      await pause(50);
      open();
      for (const id of ids) await untilState(bench, id, 'done');
      await webhooks.stop();
      assert.equal(most, 3);
    },
  },
  {
    name: 'events of one lane run one at a time, and waiting is not a failure',
    async run(bench) {
      const webhooks = bench.receiver();
      let running = 0;
      let most = 0;
      webhooks.on(
        'user.created',
        async () => {
          most = Math.max(most, ++running);
          await pause(20);
          running--;
        },
        { serialBy: ({ data }) => data.user.id },
      );
      const ids = ['evt_1', 'evt_2', 'evt_3'];
      await deliverAll(webhooks, ids);
      await webhooks.start();
      for (const id of ids) await untilState(bench, id, 'done');
      await webhooks.stop();
      assert.equal(most, 1);
    },
  },
  {
    name: 'events of a busy lane are claimed once each, in order, while other events run',
    async run(bench) {
      const webhooks = bench.receiver();
      const { passed, open } = gate();
      const busy = gate();
      const seen: string[] = [];
      webhooks.on(
        'user.created',
        async ({ id }) => {
          busy.open();
          await passed;
          seen.push(id);
        },
        { serialBy: ({ data }) => data.user.id, timeoutMs: 10_000 },
      );
      webhooks.on('user.deleted', ({ id }) => {
        seen.push(id);
        open();
      });
      const ids = Array.from({ length: 30 }, (_, i) => `evt_${String(i).padStart(2, '0')}`);
      const [first = '', ...others] = ids;
      await deliver(webhooks, bytesOf(first));
      await webhooks.start({ concurrency: 2 });
      // Events claimed at the same moment reach the lane in any order, so the lane is busy before the others arrive.
      await busy.passed;
      for (const id of others) await deliver(webhooks, bytesOf(id));
      await deliver(webhooks, bytesOf('evt_other', { type: 'user.deleted' }));
      for (const id of ids) await untilState(bench, id, 'done');
      await webhooks.stop();
      assert.deepEqual(seen, ['evt_other', ...ids]);
      const rows = await Promise.all(ids.map((id) => bench.queue.store.get(id)));
      assert.deepEqual(
        rows.map((row) => row?.attempt),
        ids.map(() => 1),
      );
    },
  },
  {
    name: 'two instances share the work, and each event runs on one of them',
    kind: 'shared',
    async run(bench) {
      const runs: string[] = [];
      const workers = [bench.receiver(), bench.receiver({ queue: await bench.open() })];
      for (const worker of workers) {
        worker.on('*', async ({ id }) => {
          runs.push(id);
          await pause(1);
        });
      }
      for (const worker of workers) await worker.start({ concurrency: 4 });
      const ids = Array.from({ length: 40 }, (_, i) => `evt_${String(i).padStart(2, '0')}`);
      const [first, second] = workers;
      assert.ok(first && second);
      await Promise.all([deliverAll(first, ids.slice(0, 20)), deliverAll(second, ids.slice(20))]);
      for (const id of ids) await untilState(bench, id, 'done');
      for (const worker of workers) await worker.stop();
      assert.deepEqual(runs.sort(), ids);
    },
  },
];
