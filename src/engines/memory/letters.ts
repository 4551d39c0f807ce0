import {
  type DeadLetter,
  type DeadLetterQuery,
  type DeadLetters,
  deadLetterId,
  type QueuedDelivery,
} from '../../index.ts';
import { isIds, listLimit, matchesType, replayPaced, typeFilter } from '../shared/dead-letters.ts';

/** A delivery that waits, runs or failed for good. */
export interface Entry {
  delivery: QueuedDelivery;
  state: 'waiting' | 'running' | 'dead';
  /** Waiting: may run from. Dead: failed at, by the clock on the wall. */
  sinceMs: number;
  failures: number;
  attempt: number;
  error: string;
}

interface LettersTools {
  revive(entry: Entry, steps: 'keep' | 'clear'): Promise<boolean>;
  wake(): void;
}

/** The dead letters among the entries of a queue. */
export function lettersOf(entries: Map<string, Entry>, { revive, wake }: LettersTools): DeadLetters {
  const all = () => [...entries.values()].filter(({ state }) => state === 'dead');
  const named = (id: string) => all().find(({ delivery }) => idOf(delivery) === id);

  function matching({ type, tenant, sinceMs = 0, limit }: DeadLetterQuery): readonly Entry[] {
    const types = typeFilter(type);
    return all()
      .filter(({ delivery }) => matchesType(types, delivery.type))
      .filter((entry) => entry.sinceMs >= sinceMs && (tenant === undefined || entry.delivery.tenant === tenant))
      .sort((one, other) => one.sinceMs - other.sinceMs)
      .slice(0, listLimit(limit));
  }

  return {
    list: async (query = {}) => matching(query).map(toLetter),
    async get(id) {
      const entry = named(id);
      return entry && toLetter(entry);
    },
    async replay(which, options = {}) {
      const dead = isIds(which) ? which.flatMap((id) => named(id) ?? []) : matching(which);
      return replayPaced(dead, options, async (some) => {
        const revived = await Promise.all(some.map((entry) => revive(entry, options.steps ?? 'keep')));
        wake();
        return revived.filter(Boolean).length;
      });
    },
    async discard(ids) {
      let discarded = 0;
      for (const id of ids) {
        const entry = named(id);
        if (!entry) continue;
        entries.delete(entry.delivery.key);
        discarded++;
      }
      return discarded;
    },
  };
}

function toLetter({ delivery, sinceMs, failures, error }: Entry): DeadLetter {
  const { key, eventId, type, tenant, created, receivedAtMs, body, headers } = delivery;
  const what = { key, eventId, type, tenant, created, receivedAtMs, headers };
  return { id: idOf(delivery), ...what, failedAtMs: sinceMs, failures, error, body: Uint8Array.from(body) };
}

function idOf({ tenant, eventId }: QueuedDelivery): string {
  return deadLetterId(tenant, eventId);
}
