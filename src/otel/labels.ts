import type { Attributes } from '@opentelemetry/api';
import { isWebhookError } from '../index.ts';

// The messaging conventions are still in development, so their names are written out here instead of imported:
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
const SYSTEM = 'pathfinder';
const PROCESS = 'process';
/** What a value becomes that would be one too many: https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/ */
const OTHER = '_OTHER';
const MOST_ERROR_TYPES = 50;
const CLASS_NAME = /^[A-Za-z_$][\w$]{0,63}$/;

/** The labels of one event type. They are made once, since building them would cost more than the no-op SDK does. */
export class TypeLabels {
  readonly processName: string;
  readonly replayName: string;
  /** Of a run, as the messaging conventions have it. */
  readonly message: Attributes;
  /** The type alone. */
  readonly typed: Attributes;
  readonly #type: string;
  readonly #common: Attributes | undefined;
  readonly #outcomes = new Map<string, Attributes>();
  readonly #handlers = new Map<string, Attributes>();

  constructor(type: string, common: Attributes) {
    this.#type = type;
    this.#common = Object.keys(common).length > 0 ? common : undefined;
    this.processName = `process ${type}`;
    this.replayName = `replay ${type}`;
    this.message = {
      ...common,
      'messaging.system': SYSTEM,
      'messaging.operation.name': PROCESS,
      'messaging.destination.name': type,
    };
    this.typed = { ...common, 'pathfinder.webhooks.event.type': type };
  }

  /** @param outcome - One of this package's own words. */
  ofOutcome(outcome: string): Attributes {
    const known = this.#outcomes.get(outcome);
    return known ?? keep(this.#outcomes, outcome, { ...this.typed, 'pathfinder.webhooks.outcome': outcome });
  }

  /** @param name - A registered handler's: as many as the program has. */
  ofHandler(name: string): Attributes {
    const known = this.#handlers.get(name);
    return known ?? keep(this.#handlers, name, { ...this.typed, 'pathfinder.webhooks.handler.name': name });
  }

  /** What a span has of its run when that begins. */
  ofSpan(eventId: string): Attributes {
    // Written out: a spread of `message` takes the engine several times longer than all the rest of a run's telemetry.
    const attributes: Attributes = {
      'messaging.system': SYSTEM,
      'messaging.operation.name': PROCESS,
      'messaging.operation.type': PROCESS,
      'messaging.destination.name': this.#type,
      'messaging.message.id': eventId,
      'pathfinder.webhooks.test': eventId.startsWith('evt_test_'),
    };
    return this.#common ? Object.assign(attributes, this.#common) : attributes;
  }
}

/** Keeps the values of labels few, whatever is sent and thrown. */
export class Labels {
  readonly #common: Attributes;
  readonly #types = new Map<string, TypeLabels>();
  readonly #other: TypeLabels;
  readonly #errorClasses = new Set<string>();

  /** @param common - Constants that all labels have. */
  constructor(common: Attributes) {
    this.#common = common;
    this.#other = new TypeLabels(OTHER, common);
  }

  /** Types that are named from here on; all others are `_OTHER`. */
  know(eventTypes: readonly string[]): void {
    for (const type of eventTypes)
      if (!this.#types.has(type)) keep(this.#types, type, new TypeLabels(type, this.#common));
  }

  ofType(type: string): TypeLabels {
    return this.#types.get(type) ?? this.#other;
  }

  /** Of what is refused before anything of it may be known. */
  ofRefusal(errorType: string): Attributes {
    return { ...this.#common, 'pathfinder.webhooks.outcome': 'rejected', 'error.type': errorType };
  }

  ofHandlerSpan(name: string, attempt: number): Attributes {
    const attributes: Attributes = { 'pathfinder.webhooks.handler.name': name, 'pathfinder.webhooks.attempt': attempt };
    return Object.assign(attributes, this.#common);
  }

  /** The code of an error of this package, else the class of the error: at most 50 of these. */
  errorType(error: unknown): string {
    if (isWebhookError(error)) return error.code;
    const name = classOf(error);
    if (!name || (this.#errorClasses.size >= MOST_ERROR_TYPES && !this.#errorClasses.has(name))) return OTHER;
    this.#errorClasses.add(name);
    return name;
  }
}

/** The labels of what failed. */
export function withError(labels: Attributes, errorType: string | undefined): Attributes {
  return errorType === undefined ? labels : { ...labels, 'error.type': errorType };
}

// The class is the program's own word, where `name` and `message` may be made of what was sent.
function classOf(error: unknown): string | undefined {
  try {
    const name: unknown = (error as { constructor?: { name?: unknown } } | undefined)?.constructor?.name;
    return typeof name === 'string' && CLASS_NAME.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): T {
  map.set(key, value);
  return value;
}
