import type { Enqueued, QueuedDelivery, WebhookStore } from '../../index.ts';
import { holdOf, type Known } from '../shared/holds.ts';
import { type EventJob, jobIdOf, toData } from './job.ts';
import type { Jobs } from './jobs.ts';

// A delivery is decided anew when somebody else has changed its job between two questions; not for ever.
const MOST_TURNS = 5;

type Door = (delivery: QueuedDelivery) => Promise<Enqueued>;

/** Takes deliveries in: a job of the event's own name, unless it has one. What the event is, its row in the store says. */
export function createDoor(jobs: Jobs, store: WebhookStore): Door {
  const hold = holdOf(store);
  return hold ? doorWith(jobs, store, ({ key, bodyHash }) => hold(key, bodyHash)) : doorOf(jobs, store);
}

/** @param ask - What the event is; undefined for one that is new. */
function doorWith(
  jobs: Jobs,
  store: WebhookStore,
  ask: (delivery: QueuedDelivery) => Promise<Known | undefined>,
): Door {
  async function decide(delivery: QueuedDelivery): Promise<Enqueued | undefined> {
    const id = jobIdOf(delivery.key);
    const known = await ask(delivery);
    const refusal = refusalOf(known, delivery);
    if (refusal) return refusal;
    // A worker that is as quick as this must not find the event dead any more.
    if (known?.state === 'dead') await store.revive(delivery.key, { steps: 'keep' });
    // An event that is known needs a job as well before it is acknowledged; one of this name stays as it is.
    await jobs.add(delivery.type, toData(delivery), id);
    if (known === undefined) return 'accepted';
    const found = await jobs.find(id);
    // Other bytes have come in the place of those that failed, a moment before these.
    if (found && found.data.bodyHash !== delivery.bodyHash) return 'conflict';
    return decideKnown(known, found, id);
  }

  async function decideKnown(known: Known, found: EventJob | undefined, id: string): Promise<Enqueued | undefined> {
    if (found && (await found.isFailed())) return (await jobs.retry(found)) ? 'revived' : undefined;
    if (known.state === 'dead') {
      await jobs.dropUnhandled(id);
      return 'revived';
    }
    if (known.held) return 'duplicate';
    return known.failures > 0 ? 'revived' : 'accepted';
  }

  return async (delivery) => {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const enqueued = await decide(delivery);
      if (enqueued) return enqueued;
    }
    throw new Error('The job of this event changes faster than it can be read.');
  };
}

/**
 * The door for a store of somebody else's: what it knows is asked beside what job there is, so deliveries of one event are
 * decided one after the other, and what another process has added meanwhile shows afterwards.
 */
function doorOf(jobs: Jobs, store: WebhookStore): Door {
  const deciding = new Map<string, Promise<unknown>>();

  const decide = doorWith(jobs, store, async ({ key }) => {
    const [found, known] = await Promise.all([jobs.find(jobIdOf(key)), store.get(key)]);
    // The event's job may have ended between the two questions.
    const now = known && !found ? await store.get(key) : known;
    if (!found) return now && { ...now, held: false };
    const { state = 'free', failures = 0 } = now ?? {};
    return { state, failures, bodyHash: found.data.bodyHash, held: true };
  });

  async function decideAndLook(delivery: QueuedDelivery): Promise<Enqueued> {
    const enqueued = await decide(delivery);
    const found = await jobs.find(jobIdOf(delivery.key));
    return found && found.data.bodyHash !== delivery.bodyHash ? 'conflict' : enqueued;
  }

  return async (delivery) => {
    const { key } = delivery;
    const before = deciding.get(key) ?? Promise.resolve();
    const decided = before.catch(() => undefined).then(() => decideAndLook(delivery));
    deciding.set(key, decided);
    try {
      return await decided;
    } finally {
      if (deciding.get(key) === decided) deciding.delete(key);
    }
  };
}

/** Why an event that is known is not queued, if it is not. What failed, and nothing holds, may come back with other bytes. */
function refusalOf(known: Known | undefined, { bodyHash }: QueuedDelivery): Enqueued | undefined {
  if (known === undefined) return undefined;
  const isReplaceable = known.state === 'free' && !known.held;
  if (known.bodyHash !== bodyHash && !isReplaceable) return 'conflict';
  return known.state === 'done' ? 'duplicate' : undefined;
}
