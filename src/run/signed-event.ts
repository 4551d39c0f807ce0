import type { ReceivedWebhookEvent } from '../events/index.ts';
import { parseWebhookEvent } from '../parse.ts';

/** Puts what the integrator's schema makes of the `data` of an event in its place. */
export type ApplySchema = (event: ReceivedWebhookEvent) => Promise<ReceivedWebhookEvent>;

/** What is known of an event without its bytes. */
export interface EventHead {
  readonly id: string;
  readonly type: string;
  readonly created: number;
}

/**
 * An event as it was signed, for each who is to have it: a handler may change its own, and no other run sees that. The first
 * gets the one that was read at receipt, and most events need no other; for the rest, and in a worker, the bytes are read.
 */
export class SignedEvent {
  readonly id: string;
  readonly type: string;
  readonly created: number;
  #apiVersion: string | undefined;
  readonly #body: Uint8Array;
  readonly #applySchema: ApplySchema | undefined;
  #read: ReceivedWebhookEvent | undefined;
  /** Whether somebody has the event that was read. */
  #taken = false;

  /** @param read - The event of `body`, with what `applySchema` makes of it where there is one. Absent: a run reads it. */
  constructor(
    { id, type, created }: EventHead,
    body: Uint8Array,
    applySchema: ApplySchema | undefined,
    read?: ReceivedWebhookEvent,
  ) {
    this.id = id;
    this.type = type;
    this.created = created;
    this.#body = body;
    this.#applySchema = applySchema;
    this.#read = read;
    this.#apiVersion = read?.api_version;
  }

  /** `undefined` before the bytes were read. */
  get apiVersion(): string | undefined {
    return this.#apiVersion;
  }

  /**
   * The event for a run of a handler, which shares it with nobody.
   *
   * @returns A promise where a schema of the integrator answers with one; it rejects as that does.
   * @throws WebhookError for bytes that are no event: those of a queue that did not keep them as they were.
   */
  forRun(): ReceivedWebhookEvent | Promise<ReceivedWebhookEvent> {
    if (this.#read && !this.#taken) {
      this.#taken = true;
      return this.#read;
    }
    const event = parseWebhookEvent(this.#body);
    this.#apiVersion = event.api_version;
    return this.#applySchema ? this.#applySchema(event).then((applied) => this.#keep(applied)) : event;
  }

  /** The event for a hook or a result, which do not wait for a schema: with one it is that of the first run, if there was one. */
  forHook(): ReceivedWebhookEvent {
    if (!this.#read || (this.#taken && !this.#applySchema)) return parseWebhookEvent(this.#body);
    this.#taken = true;
    return this.#read;
  }

  // A hook gets the event that the first run in a worker read.
  #keep(event: ReceivedWebhookEvent): ReceivedWebhookEvent {
    if (!this.#read) {
      this.#read = event;
      this.#taken = true;
    }
    return event;
  }
}
