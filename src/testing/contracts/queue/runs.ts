import assert from 'node:assert/strict';
import { NonRetryableError, RetryAfterError } from '../../../index.ts';
import { ATTEMPTS, bytesOf, deliver, deliverAll, gate, pause, QUEUED, type QueueCase, untilState } from './bench.ts';

// An event is claimed ten times more than it failed before it counts as one that takes its process down.
const MOST_LOST_CLAIMS = 10;

/** How an event is run, and what becomes of it. */
export const runCases: readonly QueueCase[] = [
  {
    name: 'a handler that fails runs again by the retry policy, until it succeeds',
    async run(bench) {
      const webhooks = bench.receiver();
      const attempts: number[] = [];
      webhooks.on('user.created', (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt < ATTEMPTS) throw new Error('not yet');
      });
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.deepEqual(attempts, [1, 2, 3]);
      assert.deepEqual(await bench.queue.deadLetters.list(), []);
    },
  },
  {
    name: 'an event is dead after as many failures as the policy has attempts, and does not run again',
    async run(bench) {
      const webhooks = bench.receiver();
      let runs = 0;
      webhooks.on('user.created', function welcome() {
        runs++;
        throw new Error(`failure ${runs}`);
      });
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      await untilState(bench, 'evt_1', 'dead');
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get('evt_1'));
      await pause(50);
      await webhooks.stop();
      assert.equal(runs, ATTEMPTS);
      assert.equal(letter.failures, ATTEMPTS);
      assert.match(letter.error, /failure 3/);
      assert.equal((await bench.queue.stats()).dead, 1);
    },
  },
  {
    name: 'a NonRetryableError makes an event dead at its first failure',
    async run(bench) {
      const webhooks = bench.receiver();
      webhooks.on('user.created', () => {
        throw new NonRetryableError('never');
      });
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get('evt_1'));
      await webhooks.stop();
      assert.equal(letter.failures, 1);
    },
  },
  {
    name: 'a RetryAfterError is waited for, and holds nobody else up',
    async run(bench) {
      const webhooks = bench.receiver();
      const atMs: number[] = [];
      webhooks.on('user.created', () => {
        atMs.push(performance.now());
        if (atMs.length === 1) throw new RetryAfterError('busy', 300);
      });
      webhooks.on('user.deleted', () => undefined);
      await webhooks.start({ concurrency: 1 });
      await deliver(webhooks, bytesOf('evt_1'));
      await bench.until('its first failure', async () => (await bench.queue.store.get('evt_1'))?.error);
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_2', { type: 'user.deleted' })), QUEUED);
      await untilState(bench, 'evt_2', 'done');
      assert.equal(atMs.length, 1, 'The other event ran while the first one waited.');
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      const [first = 0, second = 0] = atMs;
      assert.ok(second - first >= 299, `${second - first} ms lay between the runs.`);
    },
  },
  {
    name: 'of several handlers only the one that failed runs again, and its steps are remembered',
    async run(bench) {
      const webhooks = bench.receiver();
      const runs: string[] = [];
      webhooks.on('user.created', () => void runs.push('sound'), { name: 'sound' });
      webhooks.on(
        'user.created',
        async (_, { once, attempt }) => {
          const step = await once('charge', () => `made by attempt ${attempt}`);
          runs.push(`shaky: ${step}`);
          if (attempt === 1) throw new Error('once');
        },
        { name: 'shaky' },
      );
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.deepEqual(runs.sort(), ['shaky: made by attempt 1', 'shaky: made by attempt 1', 'sound']);
    },
  },
  {
    name: 'an event that no handler matches is done, and counts no more',
    async run(bench) {
      const webhooks = bench.receiver();
      webhooks.on('user.deleted', () => assert.fail('of another type'));
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      const stats = await bench.until('an empty queue', async () => {
        const found = await bench.queue.stats();
        return found.active === 0 ? found : undefined;
      });
      assert.deepEqual(stats, { ready: 0, active: 0, delayed: 0, dead: 0, oldestReadyMs: 0 });
    },
  },
  {
    name: 'as many events run at a time as it is told, and no more',
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
    name: 'events of one lane run one at a time, and waiting for it is no failure',
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
    name: 'a payload that takes its process down each time is dead in the end, and its neighbour is done',
    async run(bench) {
      const webhooks = bench.receiver();
      const seen: string[] = [];
      webhooks.on('user.created', ({ id }) => void seen.push(id));
      await deliverAll(webhooks, ['evt_poison', 'evt_sound']);
      const { store } = bench.queue;
      const { bodyHash } = (await store.get('evt_poison')) ?? { bodyHash: await hashOf(bytesOf('evt_poison')) };
      for (let claims = 0; claims < MOST_LOST_CLAIMS; claims++) {
        // What is left of a worker that was killed: a claim that nobody ends.
        await bench.until('a claim', async () => {
          const claim = await store.claim('evt_poison', { leaseMs: 5, bodyHash });
          return claim.status === 'acquired' ? claim : undefined;
        });
      }
      await webhooks.start();
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get('evt_poison'));
      await untilState(bench, 'evt_sound', 'done');
      await webhooks.stop();
      assert.deepEqual(seen, ['evt_sound']);
      assert.match(letter.error, /took its process down/);
    },
  },
  {
    name: 'two instances share the work, and each event is run by one of them',
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

async function hashOf(body: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(body));
  return Buffer.from(digest).toString('hex');
}
