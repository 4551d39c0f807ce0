import { AsyncResource } from 'node:async_hooks';
import type {
  DeadLetterAddress,
  Enqueued,
  QueuedDelivery,
  QueueWork,
  WebhookQueue,
  WorkOutcome,
} from '@pathfinder/webhooks';

/** A queue with one fault, and the promise that it breaks. */
export interface Twin {
  readonly fault: string;
  readonly breaks: string;
  /** On a file, where another instance can look. */
  readonly onFile?: true;
  spoil(queue: WebhookQueue): WebhookQueue;
}

export const queueTwins: readonly Twin[] = [
  {
    fault: 'acknowledges before it commits',
    breaks: 'every acknowledged event of a burst is visible to another instance at once',
    onFile: true,
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        setTimeout(() => queue.enqueue(delivery).catch(() => undefined), 20);
        return 'accepted';
      }),
  },
  {
    fault: 'takes what came a moment later for a copy',
    breaks: 'one of two bodies that arrive concurrently under one id at two instances is accepted, and only it runs',
    onFile: true,
    spoil: (queue) => withEnqueue(queue, async (delivery) => duplicateFor('conflict', await queue.enqueue(delivery))),
  },
  {
    fault: 'keeps what it accepted in memory until it is closed',
    breaks: 'acknowledged events survive closing and reopening the queue',
    onFile: true,
    spoil: (queue) => withEnqueue(queue, async () => 'accepted'),
  },
  {
    fault: 'accepts copies as events of their own',
    breaks: 'copies that arrive concurrently are one event',
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        await queue.enqueue({ ...delivery, key: `${delivery.key} ${Math.random()}` });
        return 'accepted';
      }),
  },
  {
    fault: 'takes a copy for new while the first one runs',
    breaks: 'an event is accepted once: its copies are duplicates while it waits, while it runs and when it is done',
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        const enqueued = await queue.enqueue(delivery);
        return enqueued === 'duplicate' ? 'accepted' : enqueued;
      }),
  },
  {
    fault: 'does not look at the bytes of a known id',
    breaks: 'a different body under a waiting, running or completed id is a conflict and never runs',
    spoil: (queue) => withEnqueue(queue, async (delivery) => duplicateFor('conflict', await queue.enqueue(delivery))),
  },
  {
    fault: 'replaces the bytes of a dead letter',
    breaks: 'a different body under a dead id is a conflict and does not change the dead letter',
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        await queue.deadLetters.discard([{ id: delivery.eventId }]);
        return queue.enqueue(delivery);
      }),
  },
  {
    fault: 'swallows the redelivery of a dead event',
    breaks: 'a dead event that is delivered again runs again, with its counters at zero',
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        const dead = await queue.deadLetters.get({ id: delivery.eventId });
        return dead ? 'duplicate' : queue.enqueue(delivery);
      }),
  },
  {
    fault: 'keeps JSON and not bytes',
    breaks: 'a handler receives the signed bytes even if the caller reuses their buffer',
    spoil: (queue) =>
      withEnqueue(queue, (delivery) => {
        const body = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(delivery.body).toString())));
        return queue.enqueue({ ...delivery, body });
      }),
  },
  {
    fault: 'forgets the tenant',
    breaks: 'the same id of two tenants is two events, each with its tenant',
    spoil: (queue) => withEnqueue(queue, ({ tenant: _, ...delivery }) => queue.enqueue(delivery)),
  },
  {
    fault: 'gives up after the first failure',
    breaks: 'a failed handler is retried by the policy until it succeeds',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'retry' ? { kind: 'done' } : outcome)),
  },
  {
    fault: 'loses what is dead',
    breaks: 'an event is dead after the attempts of the policy and does not run again',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'dead' ? { kind: 'done' } : outcome)),
  },
  {
    fault: 'retries what cannot succeed',
    breaks: 'a NonRetryableError makes an event dead at its first failure',
    spoil: (queue) =>
      withOutcome(queue, (outcome) => {
        return outcome.kind === 'dead' ? { kind: 'retry', inMs: 10, error: outcome.error } : outcome;
      }),
  },
  {
    fault: 'waits for a retry with its worker',
    breaks: 'a RetryAfterError delays its event without delaying others',
    spoil: (queue) =>
      withWork(queue, (work) => async (...run) => {
        const outcome = await work(...run);
        if (outcome.kind !== 'retry') return outcome;
        await new Promise((resolve) => setTimeout(resolve, outcome.inMs));
        return { ...outcome, inMs: 0 };
      }),
  },
  {
    fault: 'never runs an event again',
    breaks: 'only the failed one of several handlers runs again, and its steps are remembered',
    spoil: (queue) => withOutcome(queue, () => ({ kind: 'done' })),
  },
  {
    fault: 'counts what is done as running',
    breaks: 'an unhandled event is kept with its bytes apart from failed ones, and runs when it is replayed',
    spoil: (queue) => ({
      ...queue,
      stats: async () => ({ ...(await queue.stats()), active: 1 }),
    }),
  },
  {
    fault: 'loses what no handler matches',
    breaks: 'an unhandled event is kept with its bytes apart from failed ones, and runs when it is replayed',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'unhandled' ? { kind: 'done' } : outcome)),
  },
  {
    fault: 'lists what no handler matches with what failed',
    breaks: 'an unhandled event is kept with its bytes apart from failed ones, and runs when it is replayed',
    spoil: (queue) =>
      withLetters(queue, {
        list: async (query) => [
          ...(await queue.deadLetters.list(query)),
          ...(query?.reason ? [] : await queue.deadLetters.list({ ...query, reason: 'unhandled' })),
        ],
      }),
  },
  {
    fault: 'swallows the redelivery of what no handler matched',
    breaks: 'an unhandled event that is delivered again is queued again',
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        const letter = await queue.deadLetters.get({ id: delivery.eventId });
        return letter?.reason === 'unhandled' ? 'duplicate' : queue.enqueue(delivery);
      }),
  },
  {
    fault: 'forgets which handlers failed for good',
    breaks: 'a handler that failed for good runs again only on a replay, even while another handler is retried',
    spoil: (queue) => ({
      ...queue,
      store: {
        ...queue.store,
        async claim(key, options) {
          const claim = await queue.store.claim(key, options);
          return claim.status === 'acquired' ? { ...claim, steps: {} } : claim;
        },
      },
    }),
  },
  {
    fault: 'never comes back to what failed',
    breaks: 'a schema that never responds fails its event and blocks no other',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'retry' ? { ...outcome, inMs: 1e9 } : outcome)),
  },
  {
    fault: 'runs handlers in the context of whoever started its workers',
    breaks: 'a handler runs outside the async context of the request that delivered the event or woke the worker',
    spoil: (queue) => withWork(queue, (work) => AsyncResource.bind(work)),
  },
  {
    fault: 'runs one event at a time',
    breaks: 'events run with exactly the requested concurrency',
    spoil: (queue) => ({ ...queue, start: (work) => queue.start(work, { concurrency: 1 }) }),
  },
  {
    fault: 'runs more events at a time than it is told',
    breaks: 'events run with exactly the requested concurrency',
    spoil: (queue) => ({ ...queue, start: (work) => queue.start(work, { concurrency: 5 }) }),
  },
  {
    fault: 'takes a wait for a failure',
    breaks: 'events of one lane run one at a time, and waiting is not a failure',
    spoil: (queue) =>
      withWork(queue, (work) => async (delivery, attempt, signal) => {
        const outcome = await work(delivery, attempt, signal);
        return outcome.kind === 'retry' && outcome.error === undefined ? { kind: 'dead', error: 'waited' } : outcome;
      }),
  },
  {
    fault: 'holds a slot for each event that waits for its lane',
    breaks: 'events of a busy lane are claimed once each, in order, while other events run',
    spoil: (queue) =>
      withWork(queue, (work) => (delivery, attempt, signal) => {
        return work(delivery, attempt, signal, { leave() {}, async enter() {} });
      }),
  },
  {
    fault: 'sends each event away whose lane is taken',
    breaks: 'events of a busy lane are claimed once each, in order, while other events run',
    spoil: (queue) => withWork(queue, (work) => (delivery, attempt, signal) => work(delivery, attempt, signal)),
  },
  {
    fault: 'has no dead letter for what its process died of',
    breaks: 'a payload that crashes its process every time ends as a dead letter, and other events complete',
    spoil: (queue) => withLetters(queue, { get: async () => undefined }),
  },
  {
    fault: 'runs each event on every instance',
    breaks: 'two instances share the work, and each event runs on one of them',
    onFile: true,
    spoil: (queue) =>
      withWork(queue, (work) => async (...run) => {
        await work(...run);
        return work({ ...run[0], key: `${run[0].key} again` }, run[1], run[2]);
      }),
  },
  {
    fault: 'keeps the signature with a dead letter',
    breaks: 'a dead letter holds everything known about its event except the signature',
    spoil: (queue) =>
      withEnqueue(queue, (delivery) => {
        return queue.enqueue({ ...delivery, headers: { ...delivery.headers, 'x-pathfinder-signature': 'sha256=00' } });
      }),
  },
  {
    fault: 'lists dead letters without a filter',
    breaks: 'dead letters are listed oldest failure first and filtered by type, pattern, tenant, time and count',
    spoil: (queue) => withLetters(queue, { list: () => queue.deadLetters.list() }),
  },
  {
    fault: 'names dead letters by tenant and id, joined',
    breaks: 'a dead letter is addressed unambiguously by its key or by its event',
    spoil: (queue) =>
      withLetters(queue, {
        get: async (address) => {
          const joined = (one: DeadLetterAddress) => (typeof one === 'string' ? one : `${one.tenant}:${one.id}`);
          return (await queue.deadLetters.list()).find((letter) => joined(letter) === joined(address));
        },
      }),
  },
  {
    fault: 'counts a letter as often as it is named',
    breaks: 'a dead letter is addressed unambiguously by its key or by its event',
    spoil: (queue) =>
      withLetters(queue, {
        discard: async (addresses) => ((await queue.deadLetters.discard(addresses)) > 0 ? addresses.length : 0),
      }),
  },
  {
    fault: 'gives the name of what is gone to another',
    breaks: 'the key of a deleted dead letter is never reused',
    spoil: (queue) =>
      withLetters(queue, {
        get: async (address) =>
          typeof address === 'string' ? (await queue.deadLetters.list())[0] : queue.deadLetters.get(address),
      }),
  },
  {
    fault: 'takes anything for a name',
    breaks: 'an invalid address or filter is rejected before anything is written',
    spoil: (queue) => withLetters(queue, { get: (address) => queue.deadLetters.get(address).catch(() => undefined) }),
  },
  {
    fault: 'discards what it can before it refuses the rest',
    breaks: 'an invalid address or filter is rejected before anything is written',
    spoil: (queue) =>
      withLetters(queue, {
        discard: async (addresses) => {
          let discarded = 0;
          for (const address of addresses) discarded += await queue.deadLetters.discard([address]);
          return discarded;
        },
      }),
  },
  {
    fault: 'always clears the steps',
    breaks: 'a replay that keeps the steps runs only failed handlers',
    spoil: (queue) =>
      withLetters(queue, {
        replay: (which, options) => queue.deadLetters.replay(which, { ...options, steps: 'clear' }),
      }),
  },
  {
    fault: 'never clears the steps',
    breaks: 'a replay that clears the steps runs every handler again',
    spoil: (queue) =>
      withLetters(queue, {
        replay: (which, options) => queue.deadLetters.replay(which, { ...options, steps: 'keep' }),
      }),
  },
  {
    fault: 'says that it replayed, and does not',
    breaks: 'a replay runs the exact bytes of an event with all its attempts',
    spoil: (queue) => withLetters(queue, { replay: async () => 1 }),
  },
  {
    fault: 'replays everything',
    breaks: 'a replay by filter replays exactly the dead letters that the filter lists',
    spoil: (queue) => withLetters(queue, { replay: () => queue.deadLetters.replay({}) }),
  },
  {
    fault: 'replays as fast as it can',
    breaks: 'a replay respects its rate and stops when its signal aborts',
    spoil: (queue) => withLetters(queue, { replay: (which) => queue.deadLetters.replay(which) }),
  },
  {
    fault: 'keeps what was discarded',
    breaks: 'a discarded event is deleted and runs when it is delivered again',
    spoil: (queue) => withLetters(queue, { discard: async () => 1 }),
  },
  {
    fault: 'stops without waiting',
    breaks: 'stopping waits for running events and takes no new ones',
    spoil: (queue) => ({ ...queue, stop: async () => void queue.stop({ timeoutMs: 10_000 }) }),
  },
  {
    fault: 'does not stop',
    breaks: 'stopping waits for running events and takes no new ones',
    spoil: (queue) => ({ ...queue, stop: () => new Promise((resolve) => setTimeout(resolve, 100)) }),
  },
  {
    fault: 'waits for ever for what runs',
    breaks: 'an event that outlasts stop is aborted and returned without counting a failure',
    spoil: (queue) => ({
      ...queue,
      stop: async () => void queue.stop({ timeoutMs: 1e9 }),
      close: async () => undefined,
    }),
  },
  {
    fault: 'starts its workers again and again',
    breaks: 'workers cannot be started twice, except after they were stopped',
    spoil: (queue) => ({ ...queue, start: (work, options) => queue.start(work, options).catch(() => undefined) }),
  },
  {
    fault: 'drains all there is',
    breaks: 'draining runs at most the requested number of ready events and returns their count',
    spoil: (queue) => ({
      ...queue,
      drain: (work, { maxMs }) => queue.drain(work, { maxMs, max: Number.POSITIVE_INFINITY }),
    }),
  },
  {
    fault: 'drains for as long as it takes',
    breaks: 'draining takes no new events after its time limit and waits for those it took',
    spoil: (queue) => ({ ...queue, drain: (work, { max }) => queue.drain(work, { maxMs: 10_000, max }) }),
  },
  {
    fault: 'counts what waits for its retry as ready',
    breaks: 'draining does not wait for an event with a later retry',
    spoil: (queue) => ({
      ...queue,
      stats: async () => {
        const stats = await queue.stats();
        return { ...stats, ready: stats.ready + stats.delayed, delayed: 0 };
      },
    }),
  },
  {
    fault: 'knows no numbers',
    breaks: 'stats count ready, running and dead events and the age of the oldest ready one',
    spoil: (queue) => ({
      ...queue,
      stats: async () => ({ ready: 0, active: 0, delayed: 0, dead: 0, unhandled: 0, oldestReadyMs: 0 }),
    }),
  },
];

function withEnqueue(queue: WebhookQueue, enqueue: (delivery: QueuedDelivery) => Promise<Enqueued>): WebhookQueue {
  return { ...queue, enqueue };
}

function withLetters(queue: WebhookQueue, letters: Partial<WebhookQueue['deadLetters']>): WebhookQueue {
  return { ...queue, deadLetters: { ...queue.deadLetters, ...letters } };
}

function withWork(queue: WebhookQueue, spoil: (work: QueueWork) => QueueWork): WebhookQueue {
  return {
    ...queue,
    start: (work, options) => queue.start(spoil(work), options),
    drain: (work, options) => queue.drain(spoil(work), options),
  };
}

function withOutcome(queue: WebhookQueue, spoil: (outcome: WorkOutcome) => WorkOutcome): WebhookQueue {
  return withWork(
    queue,
    (work) =>
      async (...run) =>
        spoil(await work(...run)),
  );
}

function duplicateFor(what: Enqueued, enqueued: Enqueued): Enqueued {
  return enqueued === what ? 'duplicate' : enqueued;
}
