import { matchesPattern, type ReceivedWebhookEvent } from '../events/index.ts';
import type { WebhookLogger } from '../report/logger.ts';
import { IN_PROCESS_RETRY, retryPolicy } from '../retry/policy.ts';
import { check, checkNames, duration, type OptionNames } from '../shared/check.ts';
import { nearestName } from '../shared/nearest.ts';
import type { Handler, HandlerOptions, Registration, Registry } from './handler-types.ts';

export interface RegistryOptions {
  readonly knownTypes: ReadonlySet<string>;
  /** Refuses a second unnamed handler on a pattern: its place changes with the code, and checkpoints outlive that. */
  readonly durable: boolean;
  readonly logger: WebhookLogger;
}

const NAME = /^[\w.-]{1,64}$/;

export function createRegistry({ knownTypes, durable, logger }: RegistryOptions): Registry {
  let registrations: readonly Registration[] = [];
  // Matches are kept for known types only, so that nobody who sends new ones makes the map grow.
  const matches = new Map<string, readonly Registration[]>();

  function nameFor(patterns: string, handler: Handler<ReceivedWebhookEvent>, name: string | undefined): string {
    if (name !== undefined && !NAME.test(name)) {
      throw new TypeError('A handler name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.');
    }
    const own = name ?? (NAME.test(handler.name) ? handler.name : undefined);
    if (own !== undefined) return own;
    const unnamed = registrations.filter((other) => other.id.startsWith(`${patterns}#(`));
    if (durable && unnamed.length > 0) {
      throw new TypeError(
        `Two unnamed handlers on '${patterns}': pass { name }, since a durable store keeps a checkpoint for each by its name.`,
      );
    }
    let place = unnamed.length + 1;
    while (unnamed.some((other) => other.name === `(${place})`)) place++;
    return `(${place})`;
  }

  function warnOfUnknown(pattern: string): void {
    const known = [...knownTypes];
    if (known.some((type) => matchesPattern(pattern, type, true)) || pattern === '*') return;
    const nearest = nearestName(pattern, known);
    const hint = nearest ? `Did you mean '${nearest}'?` : 'Declare newer types in `events`.';
    logger.warn({ pattern }, `No known webhook event matches '${pattern}'. ${hint}`);
  }

  return {
    add(patterns, handler, options) {
      if (typeof handler !== 'function') throw new TypeError('A webhook handler must be a function.');
      if (patterns.length === 0) throw new TypeError('Pass at least one event type or pattern.');
      checkOptions(options);
      const joined = patterns.join(',');
      const name = nameFor(joined, handler, options.name);
      const id = `${joined}#${name}`;
      if (registrations.some((other) => other.id === id)) {
        throw new TypeError(`A handler named '${name}' is already registered for '${joined}': pass another { name }.`);
      }
      for (const pattern of patterns) warnOfUnknown(pattern);
      registrations = [...registrations, { id, name, patterns, handler, options }];
      matches.clear();
    },

    remove(patterns, handler) {
      const joined = patterns.join(',');
      registrations = registrations.filter((one) => one.handler !== handler || one.patterns.join(',') !== joined);
      matches.clear();
    },

    match(type) {
      const cached = matches.get(type);
      if (cached) return cached;
      const isKnown = knownTypes.has(type);
      const matched = registrations.filter((one) =>
        one.patterns.some((pattern) => matchesPattern(pattern, type, isKnown)),
      );
      if (isKnown) matches.set(type, matched);
      return matched;
    },

    patterns: () => registrations.flatMap((one) => one.patterns),
  };
}

// Options are checked here and not at the first failure, when nobody could be told.
const NAMES: OptionNames<HandlerOptions> = {
  name: true,
  transaction: true,
  serialBy: true,
  timeoutMs: true,
  retry: true,
};

function checkOptions(options: HandlerOptions): void {
  checkNames('on', options, NAMES);
  const { timeoutMs, retry, serialBy } = options;
  if (timeoutMs !== undefined) duration('timeoutMs', timeoutMs);
  const serial = serialBy === undefined || typeof serialBy === 'function';
  check(serial, '`serialBy`', 'a function of the event that returns a key');
  if (retry) retryPolicy(retry, IN_PROCESS_RETRY);
}
