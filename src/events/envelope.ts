/**
 * What every event has, whatever its type. As on the wire: the names are Pathfinder's, and nothing is converted.
 *
 * @typeParam T - the event's type, e.g. `'user.created'`
 * @typeParam D - what `data` holds
 * @typeParam P - what `previous_attributes` holds
 */
export interface WebhookEventEnvelope<T extends string, D, P = Record<string, unknown>> {
  /** Unique per event, the same on every redelivery: `evt_…`, 1 to 255 characters. */
  readonly id: string;
  /** The event's name, `resource.what_happened`. */
  readonly type: T;
  /** The version of the payload's format, e.g. `'1.0'`. */
  readonly api_version: string;
  /** When the event occurred, in Unix seconds: `new Date(event.created * 1000)`. */
  readonly created: number;
  /** What the event is about. Fields that this package does not know are kept. */
  readonly data: D;
  /** On `*.updated`: the values before the change, of the fields that changed. Not checked against a schema. */
  readonly previous_attributes?: P | undefined;
}

/** An event of a type that this version of the package does not know: its envelope is checked, its `data` is not. */
export interface UnknownWebhookEvent extends WebhookEventEnvelope<string, Record<string, unknown>> {}
