import {
  type DeadLetter,
  type DeadLetterAddress,
  type DeadLetterQuery,
  type DeadLetters,
  eventKey,
  type WebhookStore,
} from '../../index.ts';
import {
  isAddresses,
  type LetterFilter,
  letterKey,
  type ReadAddress,
  readAddress,
  readAddresses,
  readQuery,
  readReplay,
  replayPaced,
} from '../shared/dead-letters.ts';
import { type EventJob, jobIdOf, type LetterData, toDelivery } from './job.ts';
import type { Jobs } from './jobs.ts';

const PAGE = 100;
const FORGET_LEASE_MS = 60_000;

export interface LettersOptions {
  readonly jobs: Jobs;
  readonly store: WebhookStore;
  /** Told that something can run. */
  wake(): void;
}

/** The dead letters of a queue: its failed jobs, and those that no handler matched. */
export function createLetters({ jobs, store, wake }: LettersOptions): DeadLetters {
  async function find(address: ReadAddress): Promise<EventJob | undefined> {
    const id = 'letter' in address ? address.letter : jobIdOf(eventKey(address.tenant, address.id));
    const job = await jobs.find(id);
    // A job that has failed since it was read did not say why yet.
    if (job && (await job.isFailed())) return job.data.letter ? job : jobs.find(id);
    const unhandled = await jobs.findUnhandled(id);
    return unhandled && !isExpired(unhandled) ? unhandled : undefined;
  }

  function isExpired({ data: { letter } }: EventJob): boolean {
    return letter?.reason === 'unhandled' && letter.failedAtMs + store.retentionMs <= Date.now();
  }

  async function findMatching(query: DeadLetterQuery): Promise<readonly EventJob[]> {
    const filter = readQuery(query);
    const read = filter.reason === 'unhandled' ? jobs.unhandled : jobs.failed;
    const found: EventJob[] = [];
    for (let from = 0; found.length < filter.limit; from += PAGE) {
      const page = await read(from, PAGE);
      found.push(...page.filter((job) => !isExpired(job) && matches(filter, job)));
      if (page.length < PAGE) break;
    }
    return found.slice(0, filter.limit);
  }

  async function findNamed(addresses: readonly DeadLetterAddress[]): Promise<readonly EventJob[]> {
    const found = new Map<string | undefined, EventJob>();
    for (const address of readAddresses(addresses)) {
      const job = await find(address);
      if (job) found.set(job.id, job);
    }
    return [...found.values()];
  }

  async function replay(job: EventJob, steps: 'keep' | 'clear'): Promise<boolean> {
    const { data, id = '', name } = job;
    // The event is free before its job is, so that no worker finds it dead. Whoever replays it second revives nothing.
    const revived = await store.revive(data.key, { steps });
    if (data.letter?.reason !== 'unhandled') return (await jobs.retry(job)) && revived;
    await jobs.add(name, { ...data, letter: undefined }, id);
    await jobs.dropUnhandled(id);
    return revived;
  }

  async function discard(job: EventJob): Promise<boolean> {
    const { id = '', data } = job;
    if (data.letter?.reason === 'unhandled') await jobs.dropUnhandled(id);
    // Somebody has replayed it meanwhile.
    else if (!(await job.isFailed())) return false;
    else await job.remove();
    await forget(data.key, data.bodyHash);
    return true;
  }

  // The store deletes an event for whoever holds its claim.
  async function forget(key: string, bodyHash: string): Promise<void> {
    if (!(await store.revive(key, { steps: 'clear' }))) return;
    const claim = await store.claim(key, { leaseMs: FORGET_LEASE_MS, bodyHash });
    if (claim.status === 'acquired') await store.fail(key, claim.token, { forget: true });
  }

  return {
    list: async (query = {}) => (await findMatching(query)).map(toLetter),

    async get(address) {
      const job = await find(readAddress(address));
      return job && toLetter(job);
    },

    async replay(which, options = {}) {
      const settings = readReplay(options);
      const dead = isAddresses(which) ? await findNamed(which) : await findMatching(which);
      return replayPaced(dead, settings, async (some) => {
        const replayed = await Promise.all(some.map((job) => replay(job, settings.keepSteps ? 'keep' : 'clear')));
        wake();
        return replayed.filter(Boolean).length;
      });
    },

    async discard(addresses) {
      const dead = await findNamed(addresses);
      return (await Promise.all(dead.map(discard))).filter(Boolean).length;
    },
  };
}

function matches({ reason, exact, prefix, tenant, sinceMs }: LetterFilter, { data }: EventJob): boolean {
  const letter = letterOf(data.letter);
  const ofType = prefix === undefined ? data.type === exact : data.type.startsWith(prefix);
  const ofReason = reason === undefined ? letter.reason !== 'unhandled' : letter.reason === reason;
  return ofType && ofReason && letter.failedAtMs >= sinceMs && (tenant === undefined || data.tenant === tenant);
}

function toLetter({ id = '', data }: EventJob): DeadLetter {
  const { eventId, key: _, bodyHash: __, traceparent: ___, ...delivery } = toDelivery(data);
  return { key: letterKey(id), id: eventId, ...delivery, ...letterOf(data.letter) };
}

// Somebody else's hand has failed the job.
function letterOf(letter: LetterData | undefined): LetterData {
  return letter ?? { reason: 'failed', failures: 0, error: '', failedAtMs: 0 };
}
