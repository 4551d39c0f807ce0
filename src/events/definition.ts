import * as z from 'zod';

/** What this package knows about one event type. Plain data, so that a page about the events can be made from it. */
export interface EventDefinition<Data = unknown> {
  /** When Pathfinder sends the event. */
  readonly description: string;
  /** What Pathfinder's documentation says about the payload, in its own words. */
  readonly payload: string;
  /**
   * The fields of `data` that an example in Pathfinder's documentation shows, as paths to their leaves; `[]` stands for
   * the items of an array. Every other field of the schema is inferred from `payload`.
   */
  readonly documented: readonly string[];
  /** The object whose earlier values `previous_attributes` holds. Absent: the event has no `previous_attributes`. */
  readonly previousAttributes?: 'User' | 'Experience';
  /** Builds the schema of `data`: call it when the first such event arrives, and keep the result. */
  readonly schema: () => z.ZodType<Data>;
}

/** The schema of every `*_id`: any string but the empty one. */
export function identifier(): z.ZodString {
  return z.string().min(1);
}

/** The schema of an object of which nothing is known. */
export function anyObject(): z.ZodRecord<z.ZodString, z.ZodUnknown> {
  return z.record(z.string(), z.unknown());
}
