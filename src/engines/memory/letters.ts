import {
  type DeadLetter,
  type DeadLetterAddress,
  type DeadLetterQuery,
  type DeadLetters,
  type DeadReason,
  eventKey,
  type QueuedDelivery,
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

/** A delivery that waits, runs or is dead. */
export interface Entry {
  /** Never used for another one. */
  readonly number: number;
  readonly delivery: QueuedDelivery;
  state: 'waiting' | 'running' | 'dead';
  /** Waiting: may run from. Dead: since then, by the clock on the wall. */
  sinceMs: number;
  failures: number;
  attempt: number;
  error: string;
  reason: DeadReason;
  /** When it is forgotten, dead as it is. */
  expiresMs: number;
}

interface LettersTools {
  forgetExpired(): void;
  revive(entry: Entry, steps: 'keep' | 'clear'): Promise<boolean>;
  discard(entry: Entry): void;
  wake(): void;
}

/** The dead letters among the entries of a queue. */
export function lettersOf(
  entries: ReadonlyMap<string, Entry>,
  { forgetExpired, revive, discard, wake }: LettersTools,
): DeadLetters {
  function all(): readonly Entry[] {
    forgetExpired();
    return [...entries.values()].filter(({ state }) => state === 'dead');
  }

  function find(address: ReadAddress): Entry | undefined {
    const isMeant = ({ number, delivery }: Entry) =>
      'letter' in address ? String(number) === address.letter : delivery.key === eventKey(address.tenant, address.id);
    return all().find(isMeant);
  }

  function matching(query: DeadLetterQuery): readonly Entry[] {
    const filter = readQuery(query);
    return all()
      .filter((entry) => matches(filter, entry))
      .sort((one, other) => one.sinceMs - other.sinceMs)
      .slice(0, filter.limit);
  }

  function findNamed(addresses: readonly DeadLetterAddress[]): readonly Entry[] {
    return [...new Set(readAddresses(addresses).flatMap((address) => find(address) ?? []))];
  }

  return {
    list: async (query = {}) => matching(query).map(toLetter),
    async get(address) {
      const entry = find(readAddress(address));
      return entry && toLetter(entry);
    },
    async replay(which, options = {}) {
      const settings = readReplay(options);
      return replayPaced(isAddresses(which) ? findNamed(which) : matching(which), settings, async (some) => {
        const revived = await Promise.all(some.map((entry) => revive(entry, settings.keepSteps ? 'keep' : 'clear')));
        wake();
        return revived.filter(Boolean).length;
      });
    },
    async discard(addresses) {
      const dead = findNamed(addresses);
      for (const entry of dead) discard(entry);
      return dead.length;
    },
  };
}

function matches({ reason, exact, prefix, tenant, sinceMs }: LetterFilter, entry: Entry): boolean {
  const { delivery } = entry;
  const ofType = prefix === undefined ? delivery.type === exact : delivery.type.startsWith(prefix);
  const ofReason = reason === undefined ? entry.reason !== 'unhandled' : entry.reason === reason;
  return ofType && ofReason && entry.sinceMs >= sinceMs && (tenant === undefined || delivery.tenant === tenant);
}

function toLetter({ number, delivery, sinceMs, failures, error, reason }: Entry): DeadLetter {
  const { eventId: id, type, tenant, created, receivedAtMs, body, headers } = delivery;
  const what = { key: letterKey(number), id, type, tenant, created, receivedAtMs, headers };
  return { ...what, reason, failedAtMs: sinceMs, failures, error, body: Uint8Array.from(body) };
}
