import assert from 'node:assert/strict';
import { NonRetryableError, RetryAfterError, type WebhookHandler } from '../../../index.ts';
import {
  ATTEMPTS,
  bytesOf,
  deliver,
  deliverAll,
  pause,
  QUEUED,
  type QueueBench,
  type QueueCase,
  untilState,
} from './bench.ts';

// An event is claimed ten times more than it failed before it counts as one that takes its process down.
const MOST_LOST_CLAIMS = 10;

/** What becomes of an event that fails, or that nothing here can run. */
export const failureCases: readonly QueueCase[] = [
  {
    name: 'a failed handler is retried by the policy until it succeeds',
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
    name: 'an event is dead after the attempts of the policy and does not run again',
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
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_1' }));
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
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_1' }));
      await webhooks.stop();
      assert.equal(letter.failures, 1);
    },
  },
  {
    name: 'a RetryAfterError delays its event without delaying others',
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
    name: 'only the failed one of several handlers runs again, and its steps are remembered',
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
    name: 'an unhandled event is kept with its bytes apart from failed ones, and runs when it is replayed',
    async run(bench) {
      const before = await leaveUnhandled(bench, 'evt_1');
      const stats = await bench.until('an empty queue', async () => {
        const found = await bench.queue.stats();
        return found.active === 0 ? found : undefined;
      });
      await before.stop();
      assert.deepEqual(stats, { ready: 0, active: 0, delayed: 0, dead: 0, unhandled: 1, oldestReadyMs: 0 });
      const { deadLetters, store } = bench.queue;
      assert.equal((await store.get('evt_1'))?.reason, 'unhandled');
      assert.deepEqual(await deadLetters.list(), []);
      const letters = await deadLetters.list({ reason: 'unhandled' });
      assert.deepEqual(
        letters.map(({ id, reason, failures, error, body }) => ({
          id,
          reason,
          failures,
          error,
          body: Buffer.from(body),
        })),
        [{ id: 'evt_1', reason: 'unhandled', failures: 0, error: '', body: bytesOf('evt_1') }],
      );
      assert.equal(await deadLetters.replay({}), 0);
      assert.equal(await deadLetters.replay({ reason: 'unhandled' }), 1);
      const after = bench.receiver();
      const seen: string[] = [];
      after.on('user.created', ({ id }) => void seen.push(id));
      await after.start();
      await untilState(bench, 'evt_1', 'done');
      assert.deepEqual(seen, ['evt_1']);
    },
  },
  {
    name: 'an unhandled event that is delivered again is queued again',
    async run(bench) {
      const before = await leaveUnhandled(bench, 'evt_1');
      await before.stop();
      const after = bench.receiver();
      after.on('user.created', () => undefined);
      await after.start();
      assert.deepEqual(await deliver(after, bytesOf('evt_1')), QUEUED);
      await untilState(bench, 'evt_1', 'done');
      assert.equal((await bench.queue.stats()).unhandled, 0);
    },
  },
  {
    name: 'a handler that failed for good runs again only on a replay, even while another handler is retried',
    async run(bench) {
      const webhooks = bench.receiver();
      const runs: string[] = [];
      let isMended = false;
      webhooks.on(
        'user.created',
        () => {
          runs.push('hopeless');
          if (!isMended) throw new NonRetryableError('never');
        },
        { name: 'hopeless' },
      );
      webhooks.on(
        'user.created',
        () => {
          runs.push('shaky');
          if (runs.length < 4) throw new Error('not yet');
        },
        { name: 'shaky' },
      );
      await webhooks.start();
      await deliver(webhooks, bytesOf('evt_1'));
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_1' }));
      assert.deepEqual(runs, ['hopeless', 'shaky', 'shaky', 'shaky']);
      assert.match(letter.error, /hopeless.*never/);
      isMended = true;
      assert.equal(await bench.queue.deadLetters.replay([letter]), 1);
      await untilState(bench, 'evt_1', 'done');
      assert.deepEqual(runs.slice(4), ['hopeless']);
    },
  },
  {
    name: 'a payload that crashes its process every time ends as a dead letter, and other events complete',
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
      const letter = await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_poison' }));
      await untilState(bench, 'evt_sound', 'done');
      await webhooks.stop();
      assert.deepEqual(seen, ['evt_sound']);
      assert.equal(letter.reason, 'poison');
      assert.match(letter.error, /took its process down/);
    },
  },
];

async function hashOf(body: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(body));
  return Buffer.from(digest).toString('hex');
}

/** Delivers an event to workers that have no handler for it, and waits until it is dead. */
async function leaveUnhandled(bench: QueueBench, id: string): Promise<WebhookHandler> {
  const webhooks = bench.receiver();
  webhooks.on('user.deleted', () => assert.fail('of another type'));
  await webhooks.start();
  await deliver(webhooks, bytesOf(id));
  await untilState(bench, id, 'dead');
  return webhooks;
}
