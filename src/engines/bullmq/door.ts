import { randomBytes } from 'node:crypto';
import type { Enqueued, QueuedDelivery, StoredEvent, WebhookStore } from '../../index.ts';
import { sleep } from '../../shared/time.ts';
import { type EventJob, jobIdOf, toData } from './job.ts';
import type { Jobs } from './jobs.ts';

// Each turn means that somebody else has removed the job between two questions.
const MOST_TURNS = 5;
const PAUSE_MS = 20;

/** Takes deliveries in: a job of the event's own name, unless it has one. Deliveries of one event are decided one after the other. */
export function createDoor(jobs: Jobs, store: WebhookStore): (delivery: QueuedDelivery) => Promise<Enqueued> {
  const deciding = new Map<string, Promise<unknown>>();

  async function decide(delivery: QueuedDelivery): Promise<Enqueued> {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const id = jobIdOf(delivery.key);
      const [found, known] = await Promise.all([jobs.find(id), store.get(delivery.key)]);
      const enqueued = found ? await decideOn(found, delivery, known) : await decideNew(id, delivery, known);
      if (enqueued) return enqueued;
    }
    throw new Error('The job of this event changes faster than it can be read.');
  }

  async function decideNew(
    id: string,
    delivery: QueuedDelivery,
    first: StoredEvent | undefined,
  ): Promise<Enqueued | undefined> {
    const { key, type } = delivery;
    // Its job may have ended between the two questions.
    const known = first?.state === 'active' ? await store.get(key) : first;
    const refusal = refusalOf(known, delivery);
    if (refusal) return refusal;
    const isDead = known?.state === 'dead';
    if (isDead) await store.revive(key, { steps: 'keep' });
    const mark = randomBytes(12).toString('base64url');
    await jobs.add(type, toData(delivery, mark), id);
    const found = await jobs.find(id);
    // Another process was quicker. What is not there any more has been worked off.
    if (found && found.data.mark !== mark) return decideOn(found, delivery, known);
    if (isDead) await jobs.dropUnhandled(id);
    return isDead || known?.failures ? 'revived' : 'accepted';
  }

  async function decideOn(
    found: EventJob,
    delivery: QueuedDelivery,
    known: StoredEvent | undefined,
  ): Promise<Enqueued | undefined> {
    if (await found.isFailed()) return reviveFailed(found, delivery, known);
    if (found.data.bodyHash !== delivery.bodyHash) return 'conflict';
    if (known?.state !== 'dead') return 'duplicate';
    // Its worker is about to say so of the job too.
    await sleep(PAUSE_MS);
    return undefined;
  }

  async function reviveFailed(
    found: EventJob,
    { bodyHash, key }: QueuedDelivery,
    known: StoredEvent | undefined,
  ): Promise<Enqueued | undefined> {
    // The store has forgotten an event whose letter is still there.
    if (known === undefined && (await store.get(key)) === undefined) {
      await found.remove();
      return undefined;
    }
    if (found.data.bodyHash !== bodyHash) return 'conflict';
    await store.revive(key, { steps: 'keep' });
    return (await jobs.retry(found)) ? 'revived' : undefined;
  }

  return async (delivery) => {
    const before = deciding.get(delivery.key);
    const decided = (before ?? Promise.resolve()).then(
      () => decide(delivery),
      () => decide(delivery),
    );
    deciding.set(delivery.key, decided);
    try {
      return await decided;
    } finally {
      if (deciding.get(delivery.key) === decided) deciding.delete(delivery.key);
    }
  };
}

/** Why an event that is known is not queued, if it is not. What failed may come back with other bytes: its job tells. */
function refusalOf(known: StoredEvent | undefined, { bodyHash }: QueuedDelivery): Enqueued | undefined {
  if (known === undefined) return undefined;
  if (known.bodyHash !== bodyHash && known.state !== 'free') return 'conflict';
  return known.state === 'done' ? 'duplicate' : undefined;
}
