import assert from 'node:assert/strict';
import { eventKey } from '../../../index.ts';
import {
  bury,
  buryEvents,
  bytesOf,
  CREATED,
  deliver,
  QUEUED,
  type QueueBench,
  type QueueCase,
  untilState,
} from './bench.ts';

/** What becomes of events that failed for good. */
export const letterCases: readonly QueueCase[] = [
  {
    name: 'a dead letter holds everything known about its event except the signature',
    async run(bench) {
      const beforeMs = Date.now() - SKEW_MS;
      await bury(bench, 'evt_1');
      const [letter, ...more] = await bench.queue.deadLetters.list();
      assert.ok(letter);
      assert.deepEqual(more, []);
      const { key, body, error, failedAtMs, receivedAtMs, headers, ...rest } = letter;
      assert.deepEqual(withoutUndefined(rest), {
        id: 'evt_1',
        type: 'user.created',
        created: CREATED,
        failures: 1,
        reason: 'failed',
      });
      assert.equal(typeof key, 'string');
      assert.deepEqual(Buffer.from(body), bytesOf('evt_1'));
      assert.match(error, /broken.*cannot/);
      assert.deepEqual({ ...headers }, { 'content-type': 'application/json', 'x-request-id': 'req_1' });
      assert.ok(receivedAtMs > beforeMs && failedAtMs > beforeMs && failedAtMs < Date.now() + SKEW_MS);
      assert.deepEqual(await bench.queue.deadLetters.get({ id: 'evt_1' }), letter);
      assert.equal(await bench.queue.deadLetters.get({ id: 'evt_2' }), undefined);
    },
  },
  {
    name: 'dead letters are listed oldest failure first and filtered by type, pattern, tenant, time and count',
    async run(bench) {
      const { deadLetters } = bench.queue;
      const list = async (query: Parameters<typeof deadLetters.list>[0]) =>
        (await deadLetters.list(query)).map(({ id, tenant }) => `${tenant}:${id}`);
      await buryTyped(bench);
      assert.deepEqual(await list({}), ['acme:evt_1', 'acme:evt_2', 'blue:evt_1']);
      assert.deepEqual(await list({ type: '*' }), ['acme:evt_1', 'acme:evt_2', 'blue:evt_1']);
      assert.deepEqual(await list({ type: 'user.created' }), ['acme:evt_1', 'blue:evt_1']);
      assert.deepEqual(await list({ type: 'auth.*' }), ['acme:evt_2']);
      assert.deepEqual(await list({ type: 'user' }), []);
      assert.deepEqual(await list({ tenant: 'blue' }), ['blue:evt_1']);
      assert.deepEqual(await list({ tenant: 'acme', type: 'user.*' }), ['acme:evt_1']);
      assert.deepEqual(await list({ reason: 'failed' }), ['acme:evt_1', 'acme:evt_2', 'blue:evt_1']);
      assert.deepEqual(await list({ reason: 'poison' }), []);
      assert.deepEqual(await list({ reason: 'unhandled' }), []);
      assert.deepEqual(await list({ limit: 2 }), ['acme:evt_1', 'acme:evt_2']);
      const second = await deadLetters.get({ tenant: 'acme', id: 'evt_2' });
      assert.deepEqual(await list({ sinceMs: second?.failedAtMs ?? 0 }), ['acme:evt_2', 'blue:evt_1']);
    },
  },
  {
    name: 'a replay that keeps the steps runs only failed handlers',
    async run(bench) {
      const { runs, deadOne } = await oneOfTwoFails(bench);
      assert.equal(await bench.queue.deadLetters.replay([{ id: deadOne }], { steps: 'keep' }), 1);
      await untilState(bench, deadOne, 'done');
      assert.deepEqual(runs, ['shaky', 'sound', 'shaky']);
      assert.deepEqual(await bench.queue.deadLetters.list(), []);
    },
  },
  {
    name: 'a replay that clears the steps runs every handler again',
    async run(bench) {
      const { runs, deadOne } = await oneOfTwoFails(bench);
      assert.equal(await bench.queue.deadLetters.replay([{ id: deadOne }], { steps: 'clear' }), 1);
      await untilState(bench, deadOne, 'done');
      assert.deepEqual(runs.slice(0, 2), ['shaky', 'sound']);
      assert.deepEqual(runs.slice(2).sort(), ['shaky', 'sound']);
    },
  },
  {
    name: 'a replay runs the exact bytes of an event with all its attempts',
    async run(bench) {
      await bury(bench, 'evt_1');
      const webhooks = bench.receiver();
      let runs = 0;
      let seen: Uint8Array | undefined;
      webhooks.on('*', function broken(_, { rawBody }) {
        seen = Uint8Array.from(rawBody);
        if (++runs < 3) throw new Error('not yet');
      });
      await webhooks.start();
      assert.equal(await bench.queue.deadLetters.replay([{ id: 'evt_1' }]), 1);
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.equal(runs, 3);
      assert.deepEqual(seen && Buffer.from(seen), bytesOf('evt_1'));
    },
  },
  {
    name: 'a replay by filter replays exactly the dead letters that the filter lists',
    async run(bench) {
      await buryTyped(bench);
      const { deadLetters, store } = bench.queue;
      assert.equal(await deadLetters.replay({ tenant: 'acme' }), 2);
      assert.equal(await deadLetters.replay({ tenant: 'acme' }), 0);
      assert.equal(await deadLetters.replay([{ id: 'evt_1', tenant: 'acme' }, { id: 'no such event' }]), 0);
      assert.equal((await store.get(eventKey('acme', 'evt_2')))?.state, 'free');
      assert.deepEqual(
        (await deadLetters.list()).map(({ tenant }) => tenant),
        ['blue'],
      );
    },
  },
  {
    name: 'a replay respects its rate and stops when its signal aborts',
    async run(bench) {
      const { deadLetters } = bench.queue;
      const ids = ['evt_1', 'evt_2', 'evt_3'];
      await bury(bench, ...ids);
      const startedAtMs = performance.now();
      const controller = new AbortController();
      const stopped = new Error('enough');
      const letters = ids.map((id) => ({ id }));
      const replayed = deadLetters.replay(letters, { ratePerSecond: 5, signal: controller.signal });
      const ended = replayed.then(
        () => 'all of them',
        (error: unknown) => error,
      );
      await bench.until('the second one to be queued', async () => {
        const left = await deadLetters.list();
        return left.length < 2 ? true : undefined;
      });
      assert.ok(performance.now() - startedAtMs >= 190, 'The second one came too early.');
      controller.abort(stopped);
      assert.equal(await ended, stopped);
      assert.deepEqual(
        (await deadLetters.list()).map(({ id }) => id),
        ['evt_3'],
      );
    },
  },
  {
    name: 'a discarded event is deleted and runs when it is delivered again',
    async run(bench) {
      await bury(bench, 'evt_1', 'evt_2');
      const { deadLetters } = bench.queue;
      assert.equal(await deadLetters.discard([{ id: 'evt_1' }, { id: 'evt_3' }, { id: 'evt_1' }]), 1);
      assert.equal(await deadLetters.get({ id: 'evt_1' }), undefined);
      assert.equal(await deadLetters.replay([{ id: 'evt_1' }]), 0);
      assert.equal((await bench.queue.stats()).dead, 1);
      const webhooks = bench.receiver();
      const seen: string[] = [];
      webhooks.on('*', function mended({ id }) {
        seen.push(id);
      });
      await webhooks.start();
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), QUEUED);
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.deepEqual(seen, ['evt_1']);
    },
  },
];

// The most that this clock and the engine's may differ.
const SKEW_MS = 60_000;

function buryTyped(bench: QueueBench): Promise<void> {
  return buryEvents(bench, [
    ['acme', 'evt_1', 'user.created'],
    ['acme', 'evt_2', 'auth.login'],
    ['blue', 'evt_1', 'user.created'],
  ]);
}

/** A dead event of which one handler had succeeded, and workers for which the other one is mended. */
async function oneOfTwoFails(bench: QueueBench): Promise<{ readonly runs: string[]; readonly deadOne: string }> {
  const webhooks = bench.receiver({ retry: { attempts: 1 } });
  const runs: string[] = [];
  webhooks.on(
    '*',
    () => {
      runs.push('shaky');
      if (runs.length === 1) throw new Error('cannot');
    },
    { name: 'shaky' },
  );
  webhooks.on('*', () => void runs.push('sound'), { name: 'sound' });
  await webhooks.start();
  assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), QUEUED);
  await bench.until('the dead letter', () => bench.queue.deadLetters.get({ id: 'evt_1' }));
  assert.deepEqual(runs, ['shaky', 'sound']);
  return { runs, deadOne: 'evt_1' };
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}
