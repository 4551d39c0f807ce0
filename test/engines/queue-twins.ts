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
    breaks: 'what was acknowledged is there at once for another instance, all of a burst',
    onFile: true,
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        setTimeout(() => queue.enqueue(delivery).catch(() => undefined), 20);
        return 'accepted';
      }),
  },
  {
    fault: 'takes what came a moment later for a copy',
    breaks: 'of one id with different bytes at two instances at the same time one is taken, and only its bytes run',
    onFile: true,
    spoil: (queue) => withEnqueue(queue, async (delivery) => duplicateFor('conflict', await queue.enqueue(delivery))),
  },
  {
    fault: 'keeps what it accepted in memory until it is closed',
    breaks: 'what was acknowledged is there after the queue was closed and opened again',
    onFile: true,
    spoil: (queue) => withEnqueue(queue, async () => 'accepted'),
  },
  {
    fault: 'accepts copies as events of their own',
    breaks: 'copies that come at the same time are one event',
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
    breaks: 'other bytes under an id that waits, runs or is done are a conflict, and never run',
    spoil: (queue) => withEnqueue(queue, async (delivery) => duplicateFor('conflict', await queue.enqueue(delivery))),
  },
  {
    fault: 'replaces the bytes of a dead letter',
    breaks: 'other bytes under an id that is dead are a conflict, and leave the dead letter as it is',
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
    breaks: 'a handler gets the bytes that were signed, whatever becomes of the buffer they came in',
    spoil: (queue) =>
      withEnqueue(queue, (delivery) => {
        const body = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(delivery.body).toString())));
        return queue.enqueue({ ...delivery, body });
      }),
  },
  {
    fault: 'forgets the tenant',
    breaks: 'one id of two tenants is two events, each with its tenant',
    spoil: (queue) => withEnqueue(queue, ({ tenant: _, ...delivery }) => queue.enqueue(delivery)),
  },
  {
    fault: 'gives up after the first failure',
    breaks: 'a handler that fails runs again by the retry policy, until it succeeds',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'retry' ? { kind: 'done' } : outcome)),
  },
  {
    fault: 'loses what is dead',
    breaks: 'an event is dead after as many failures as the policy has attempts, and does not run again',
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
    breaks: 'a RetryAfterError is waited for, and holds nobody else up',
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
    breaks: 'of several handlers only the one that failed runs again, and its steps are remembered',
    spoil: (queue) => withOutcome(queue, () => ({ kind: 'done' })),
  },
  {
    fault: 'counts what is done as running',
    breaks:
      'an event that no handler matches is kept with its bytes, apart from what failed, and runs when it is replayed',
    spoil: (queue) => ({
      ...queue,
      stats: async () => ({ ...(await queue.stats()), active: 1 }),
    }),
  },
  {
    fault: 'loses what no handler matches',
    breaks:
      'an event that no handler matches is kept with its bytes, apart from what failed, and runs when it is replayed',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'unhandled' ? { kind: 'done' } : outcome)),
  },
  {
    fault: 'lists what no handler matches with what failed',
    breaks:
      'an event that no handler matches is kept with its bytes, apart from what failed, and runs when it is replayed',
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
    breaks: 'an event without a handler that is delivered again is queued again',
    spoil: (queue) =>
      withEnqueue(queue, async (delivery) => {
        const letter = await queue.deadLetters.get({ id: delivery.eventId });
        return letter?.reason === 'unhandled' ? 'duplicate' : queue.enqueue(delivery);
      }),
  },
  {
    fault: 'forgets which handlers failed for good',
    breaks:
      'a handler that failed for good does not run again beside one that is retried, but when its event is replayed',
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
    breaks: 'a schema that does not answer keeps no place for ever: its event fails, and others run',
    spoil: (queue) => withOutcome(queue, (outcome) => (outcome.kind === 'retry' ? { ...outcome, inMs: 1e9 } : outcome)),
  },
  {
    fault: 'runs handlers in the context of whoever started its workers',
    breaks: "a handler runs in no caller's context, whoever delivered the event or woke the worker",
    spoil: (queue) => withWork(queue, (work) => AsyncResource.bind(work)),
  },
  {
    fault: 'runs one event at a time',
    breaks: 'as many events run at a time as it is told, and no more',
    spoil: (queue) => ({ ...queue, start: (work) => queue.start(work, { concurrency: 1 }) }),
  },
  {
    fault: 'runs more events at a time than it is told',
    breaks: 'as many events run at a time as it is told, and no more',
    spoil: (queue) => ({ ...queue, start: (work) => queue.start(work, { concurrency: 5 }) }),
  },
  {
    fault: 'takes a wait for a failure',
    breaks: 'events of one lane run one at a time, and waiting for it is no failure',
    spoil: (queue) =>
      withWork(queue, (work) => async (delivery, attempt, signal) => {
        const outcome = await work(delivery, attempt, signal);
        return outcome.kind === 'retry' && outcome.error === undefined ? { kind: 'dead', error: 'waited' } : outcome;
      }),
  },
  {
    fault: 'holds a slot for each event that waits for its lane',
    breaks: 'events of a hot lane stand in line: each is claimed once, in order, and others run meanwhile',
    spoil: (queue) =>
      withWork(queue, (work) => (delivery, attempt, signal) => {
        return work(delivery, attempt, signal, { leave() {}, async enter() {} });
      }),
  },
  {
    fault: 'sends each event away whose lane is taken',
    breaks: 'events of a hot lane stand in line: each is claimed once, in order, and others run meanwhile',
    spoil: (queue) => withWork(queue, (work) => (delivery, attempt, signal) => work(delivery, attempt, signal)),
  },
  {
    fault: 'has no dead letter for what its process died of',
    breaks: 'a payload that takes its process down each time is dead in the end, and its neighbour is done',
    spoil: (queue) => withLetters(queue, { get: async () => undefined }),
  },
  {
    fault: 'runs each event on every instance',
    breaks: 'two instances share the work, and each event is run by one of them',
    onFile: true,
    spoil: (queue) =>
      withWork(queue, (work) => async (...run) => {
        await work(...run);
        return work({ ...run[0], key: `${run[0].key} again` }, run[1], run[2]);
      }),
  },
  {
    fault: 'keeps the signature with a dead letter',
    breaks: 'a dead letter has all that is known of its event, and no signature',
    spoil: (queue) =>
      withEnqueue(queue, (delivery) => {
        return queue.enqueue({ ...delivery, headers: { ...delivery.headers, 'x-pathfinder-signature': 'sha256=00' } });
      }),
  },
  {
    fault: 'lists dead letters without a filter',
    breaks: 'dead letters are listed oldest failure first, by type, pattern, tenant, time and number',
    spoil: (queue) => withLetters(queue, { list: () => queue.deadLetters.list() }),
  },
  {
    fault: 'names dead letters by tenant and id, joined',
    breaks: 'a dead letter is named by its key or by its event, and no two share a name',
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
    breaks: 'a dead letter is named by its key or by its event, and no two share a name',
    spoil: (queue) =>
      withLetters(queue, {
        discard: async (addresses) => ((await queue.deadLetters.discard(addresses)) > 0 ? addresses.length : 0),
      }),
  },
  {
    fault: 'gives the name of what is gone to another',
    breaks: 'the key of a dead letter that is gone is that of no other event',
    spoil: (queue) =>
      withLetters(queue, {
        get: async (address) =>
          typeof address === 'string' ? (await queue.deadLetters.list())[0] : queue.deadLetters.get(address),
      }),
  },
  {
    fault: 'takes anything for a name',
    breaks: 'what is no address and no filter is refused before anything is written, and fails nobody else',
    spoil: (queue) => withLetters(queue, { get: (address) => queue.deadLetters.get(address).catch(() => undefined) }),
  },
  {
    fault: 'discards what it can before it refuses the rest',
    breaks: 'what is no address and no filter is refused before anything is written, and fails nobody else',
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
    breaks: 'a replay that keeps the steps runs only what had failed',
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
    breaks: 'a replay gives an event all its attempts again, and its exact bytes',
    spoil: (queue) => withLetters(queue, { replay: async () => 1 }),
  },
  {
    fault: 'replays everything',
    breaks: 'a replay by filter takes what the filter lists; what is not dead is not replayed',
    spoil: (queue) => withLetters(queue, { replay: () => queue.deadLetters.replay({}) }),
  },
  {
    fault: 'replays as fast as it can',
    breaks: 'a replay keeps to the rate that it is told, and ends with its signal',
    spoil: (queue) => withLetters(queue, { replay: (which) => queue.deadLetters.replay(which) }),
  },
  {
    fault: 'keeps what was discarded',
    breaks: 'what is discarded is gone, and is an event to run when it is delivered again',
    spoil: (queue) => withLetters(queue, { discard: async () => 1 }),
  },
  {
    fault: 'stops without waiting',
    breaks: 'stopping waits for what runs, and takes nothing new',
    spoil: (queue) => ({ ...queue, stop: async () => void queue.stop({ timeoutMs: 10_000 }) }),
  },
  {
    fault: 'does not stop',
    breaks: 'stopping waits for what runs, and takes nothing new',
    spoil: (queue) => ({ ...queue, stop: () => new Promise((resolve) => setTimeout(resolve, 100)) }),
  },
  {
    fault: 'waits for ever for what runs',
    breaks: 'what does not end in time is told to stop and given back, and no failure is counted',
    spoil: (queue) => ({
      ...queue,
      stop: async () => void queue.stop({ timeoutMs: 1e9 }),
      close: async () => undefined,
    }),
  },
  {
    fault: 'starts its workers again and again',
    breaks: 'workers cannot be started twice, but again after they were stopped',
    spoil: (queue) => ({ ...queue, start: (work, options) => queue.start(work, options).catch(() => undefined) }),
  },
  {
    fault: 'drains all there is',
    breaks: 'draining works off what is ready, at most as many as it is told, and returns how many',
    spoil: (queue) => ({
      ...queue,
      drain: (work, { maxMs }) => queue.drain(work, { maxMs, max: Number.POSITIVE_INFINITY }),
    }),
  },
  {
    fault: 'drains for as long as it takes',
    breaks: 'draining takes nothing new when its time is up, and waits for what it took',
    spoil: (queue) => ({ ...queue, drain: (work, { max }) => queue.drain(work, { maxMs: 10_000, max }) }),
  },
  {
    fault: 'counts what waits for its retry as ready',
    breaks: 'draining does not wait for an event that is to be tried later',
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
    breaks: 'its numbers tell what is ready and for how long, what runs and what is dead',
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
