import assert from 'node:assert/strict';
import { eventKey } from '../../../index.ts';
import {
  bury,
  bytesOf,
  CONFLICT,
  DUPLICATE,
  deliver,
  deliverAll,
  gate,
  QUEUED,
  type QueueCase,
  TENANTS,
  untilState,
} from './bench.ts';

const OTHER = { data: { user: { id: 'user_2', username: 'eve', email: 'eve@example.com' } } };

/** What an event is when it comes. */
export const doorCases: readonly QueueCase[] = [
  {
    name: 'an event is accepted once: its copies are duplicates while it waits, while it runs and when it is done',
    async run(bench) {
      const webhooks = bench.receiver();
      const { passed, open } = gate();
      const started = gate();
      let runs = 0;
      webhooks.on('user.created', async () => {
        runs++;
        started.open();
        await passed;
      });
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), QUEUED);
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), DUPLICATE);
      await webhooks.start();
      await bench.until('the handler to start', started.isOpen);
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), DUPLICATE);
      open();
      await untilState(bench, 'evt_1', 'done');
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), DUPLICATE);
      await webhooks.stop();
      assert.equal(runs, 1);
    },
  },
  {
    name: 'copies that arrive concurrently are one event',
    async run(bench) {
      const webhooks = bench.receiver();
      let runs = 0;
      webhooks.on('user.created', () => void runs++);
      await webhooks.start();
      const replies = await Promise.all(Array.from({ length: 20 }, () => deliver(webhooks, bytesOf('evt_1'))));
      assert.equal(replies.filter(([status]) => status === 202).length, 1);
      assert.equal(replies.filter(([status]) => status === 200).length, 19);
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.equal(runs, 1);
    },
  },
  {
    name: 'a different body under a waiting, running or completed id is a conflict and never runs',
    async run(bench) {
      const webhooks = bench.receiver();
      const { passed, open } = gate();
      const started = gate();
      const seen: string[] = [];
      webhooks.on('user.created', async ({ data }) => {
        seen.push(data.user.username);
        started.open();
        await passed;
      });
      await deliver(webhooks, bytesOf('evt_1'));
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1', OTHER)), CONFLICT, 'while it waits');
      await webhooks.start();
      await bench.until('the handler to start', started.isOpen);
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1', OTHER)), CONFLICT, 'while it runs');
      open();
      await untilState(bench, 'evt_1', 'done');
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1', OTHER)), CONFLICT, 'when it is done');
      await webhooks.stop();
      assert.deepEqual(seen, ['ada']);
    },
  },
  {
    name: 'a different body under a dead id is a conflict and does not change the dead letter',
    async run(bench) {
      await bury(bench, 'evt_1');
      const webhooks = bench.receiver();
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1', OTHER)), CONFLICT);
      const letter = await bench.queue.deadLetters.get({ id: 'evt_1' });
      assert.deepEqual(letter && Buffer.from(letter.body), bytesOf('evt_1'));
    },
  },
  {
    name: 'a dead event that is delivered again runs again, with its counters at zero',
    async run(bench) {
      await bury(bench, 'evt_1');
      const webhooks = bench.receiver();
      const attempts: number[] = [];
      webhooks.on('user.created', function welcome(_, { attempt }) {
        attempts.push(attempt);
        if (attempts.length < 3) throw new Error('not yet');
      });
      assert.deepEqual(await deliver(webhooks, bytesOf('evt_1')), QUEUED);
      await webhooks.start();
      await untilState(bench, 'evt_1', 'done');
      await webhooks.stop();
      assert.deepEqual(attempts, [1, 2, 3]);
      assert.deepEqual(await bench.queue.deadLetters.list(), []);
    },
  },
  {
    name: 'a handler receives the signed bytes even if the caller reuses their buffer',
    async run(bench) {
      const webhooks = bench.receiver();
      let seen: Uint8Array | undefined;
      webhooks.on('*', (_, { rawBody }) => {
        seen = Uint8Array.from(rawBody);
      });
      const text = new TextDecoder().decode(bytesOf('evt_1'));
      const body = Buffer.from(` {"b":1e2,"a":"\\u00e9é😀",${text.slice(1)}\n`);
      const sent = Uint8Array.from(body);
      assert.deepEqual(await deliver(webhooks, body), QUEUED);
      body.fill(0);
      await webhooks.start();
      await untilState(bench, 'evt_1', 'done');
      assert.deepEqual(seen, sent);
    },
  },
  {
    name: 'the same id of two tenants is two events, each with its tenant',
    async run(bench) {
      const webhooks = bench.receiver(TENANTS);
      const seen: (string | undefined)[] = [];
      webhooks.on('user.created', (_, { tenant }) => void seen.push(tenant));
      for (const tenant of ['acme', 'blue']) {
        assert.deepEqual(await deliver(webhooks, bytesOf('evt_1'), { params: { tenant } }), QUEUED);
        assert.deepEqual(await deliver(webhooks, bytesOf('evt_1'), { params: { tenant } }), DUPLICATE);
      }
      await webhooks.start();
      await untilState(bench, eventKey('acme', 'evt_1'), 'done');
      await untilState(bench, eventKey('blue', 'evt_1'), 'done');
      await webhooks.stop();
      assert.deepEqual(seen.sort(), ['acme', 'blue']);
    },
  },
  {
    name: 'one of two bodies that arrive concurrently under one id at two instances is accepted, and only it runs',
    kind: 'shared',
    async run(bench) {
      const receivers = [bench.receiver(), bench.receiver({ queue: await bench.open() })];
      const ids = Array.from({ length: 10 }, (_, i) => `evt_${i}`);
      for (const id of ids) {
        const bodies = [bytesOf(id), bytesOf(id, OTHER)];
        const replies = await Promise.all(receivers.map((webhooks, i) => deliver(webhooks, bodies[i] ?? bytesOf(id))));
        const sorted = replies.map(([status]) => status).sort();
        assert.deepEqual(sorted, [202, 409], `${id}: ${JSON.stringify(replies)}`);
        const taken = bodies[replies.findIndex(([status]) => status === 202)];
        const worker = bench.receiver();
        let seen: Uint8Array | undefined;
        worker.on('*', (_, { rawBody }) => {
          seen = Uint8Array.from(rawBody);
        });
        await worker.drain({ maxMs: 10_000 });
        assert.deepEqual(seen && Buffer.from(seen), taken);
      }
    },
  },
  {
    name: 'every acknowledged event of a burst is visible to another instance at once',
    kind: 'shared',
    async run(bench) {
      const receiver = bench.receiver();
      const worker = bench.receiver({ queue: await bench.open() });
      const seen: string[] = [];
      worker.on('*', ({ id }) => void seen.push(id));
      const ids = Array.from({ length: 50 }, (_, i) => `evt_${i}`);
      await Promise.all(
        ids.map(async (id) => {
          assert.deepEqual(await deliver(receiver, bytesOf(id)), QUEUED);
        }),
      );
      const { ready } = await (await bench.open()).stats();
      assert.equal(ready, 50);
      await worker.drain({ maxMs: 10_000 });
      assert.deepEqual(seen.sort(), ids.sort());
    },
  },
  {
    name: 'acknowledged events survive closing and reopening the queue',
    kind: 'durable',
    async run(bench) {
      const first = await bench.open();
      await deliverAll(bench.receiver({ queue: first }), ['evt_1', 'evt_2']);
      await first.close?.();
      const worker = bench.receiver({ queue: await bench.open() });
      const seen: string[] = [];
      worker.on('*', ({ id }) => void seen.push(id));
      await worker.start();
      await untilState(bench, 'evt_1', 'done');
      await untilState(bench, 'evt_2', 'done');
      assert.deepEqual(seen.sort(), ['evt_1', 'evt_2']);
    },
  },
];
