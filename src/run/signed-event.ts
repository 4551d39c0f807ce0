import type { ReceivedWebhookEvent } from '../events/index.ts';
import { parseWebhookEvent } from '../parse.ts';

/** Puts what the integrator's schema makes of the `data` of an event in its place. */
export type ApplySchema = (event: ReceivedWebhookEvent) => Promise<ReceivedWebhookEvent>;

/**
 * An event as it was signed, for each who is to have it: a handler may change its own, and no other run sees that. The first
 * gets the one that was read at receipt, and most events need no other; for the rest the bytes are read again.
 */
export class SignedEvent {
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly #body: Uint8Array;
  readonly #applySchema: ApplySchema | undefined;
  readonly #received: ReceivedWebhookEvent;
  #taken = false;

  /** @param received - The event of `body`, with what `applySchema` makes of it where there is one. */
  constructor(received: ReceivedWebhookEvent, body: Uint8Array, applySchema: ApplySchema | undefined) {
    this.id = received.id;
    this.type = received.type;
    this.created = received.created;
    this.#received = received;
    this.#body = body;
    this.#applySchema = applySchema;
  }

  /**
   * The event for a run of a handler, which shares it with nobody.
   *
   * @returns A promise where a schema of the integrator answers with one; it rejects as that does.
   */
  forRun(): ReceivedWebhookEvent | Promise<ReceivedWebhookEvent> {
    if (!this.#taken) {
      this.#taken = true;
      return this.#received;
    }
    const again = parseWebhookEvent(this.#body);
    return this.#applySchema ? this.#applySchema(again) : again;
  }

  /** The event for a hook or a result, which do not wait for a schema: with one it is that of the first run. */
  forHook(): ReceivedWebhookEvent {
    if (this.#taken && !this.#applySchema) return parseWebhookEvent(this.#body);
    this.#taken = true;
    return this.#received;
  }
}
