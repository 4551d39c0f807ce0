import { checkIdentifier } from '../shared/identifier.ts';
import { GIVEN_UP, UNHANDLED } from '../shared/states.ts';

/** Before the names of all tables and indexes, unless `tablePrefix` says otherwise. */
export const DEFAULT_PREFIX = 'pathfinder_webhook_';
// A name has 63 bytes in PostgreSQL, which cuts what is longer; the longest suffix has 15.
const MOST_PREFIX_CHARACTERS = 40;

/** Where the tables are. */
export interface TableNames {
  readonly event: string;
  readonly body: string;
  readonly version: string;
}

/** @throws TypeError for another prefix or schema. */
export function tableNames(tablePrefix: string, schema: string | undefined): TableNames {
  const prefix = checkIdentifier('tablePrefix', tablePrefix, MOST_PREFIX_CHARACTERS);
  const inSchema = schema === undefined ? '' : `"${checkIdentifier('schema', schema)}".`;
  const name = (suffix: string) => `${inSchema}"${prefix}${suffix}"`;
  return { event: name('event'), body: name('body'), version: name('version') };
}

/** The columns that the statements need: a table of this name without them is somebody else's, or of an older version. */
export const COLUMNS: Readonly<Record<keyof TableNames, readonly string[]>> = {
  event: [
    'id',
    'key',
    'state',
    'token',
    'attempt',
    'claims',
    'failures',
    'body_hash',
    'until_at',
    'held',
    'queue',
    'due_at',
    'job_id',
    'expires_at',
    'error',
    'steps',
  ],
  body: [
    'id',
    'event_id',
    'type',
    'tenant',
    'created',
    'received_at',
    'traceparent',
    'headers',
    'keep_until_at',
    'body',
  ],
  version: ['entity', 'version'],
};

/** Where {@link postgresSchema} makes its tables. */
export interface PostgresSchemaOptions {
  /** `A-Z a-z 0-9 _`, at most 40 characters, no digit first. Default `pathfinder_webhook_`. */
  readonly tablePrefix?: string | undefined;
  /** Default: the first schema of the `search_path`. */
  readonly schema?: string | undefined;
}

/**
 * The tables of `postgresStore` and `pgBossQueue`, for those who run migrations themselves: the statements may run any number
 * of times. `<prefix>event` is one row for each remembered event or lane, `<prefix>body` what a queue still needs of it,
 * `<prefix>version` the newest version applied to each entity.
 *
 * @throws TypeError for a prefix or schema that is no identifier.
 */
export function postgresSchema({ tablePrefix = DEFAULT_PREFIX, schema }: PostgresSchemaOptions = {}): string {
  const { event, body, version } = tableNames(tablePrefix, schema);
  const index = (suffix: string) => `"${tablePrefix}${suffix}"`;
  // id: never used again once its row is gone, as the address of a dead letter must not be.
  // until_at: active: end of the lease; free: claimable from; dead: since then.
  // queue: the namespace whose workers run it; due_at: when they may look at it, absent once there is nothing to run.
  // job_id: the job that brings it to them.
  // A row changes three times in its life: room on its page spares the indexes that do not change.
  return `
CREATE TABLE IF NOT EXISTS ${event} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key text NOT NULL UNIQUE,
  state smallint NOT NULL,
  token text,
  attempt integer NOT NULL,
  claims integer NOT NULL,
  failures integer NOT NULL,
  body_hash text NOT NULL,
  until_at timestamptz NOT NULL,
  held boolean NOT NULL,
  queue text,
  due_at timestamptz,
  job_id uuid,
  expires_at timestamptz,
  error text,
  steps jsonb
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS ${index('event_due')} ON ${event} (queue, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS ${index('event_dead')} ON ${event} (queue, until_at, id) WHERE ${GIVEN_UP};
CREATE INDEX IF NOT EXISTS ${index('event_unhandled')} ON ${event} (queue, until_at, id) WHERE state = ${UNHANDLED};
CREATE INDEX IF NOT EXISTS ${index('event_expiry')} ON ${event} (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${body} (
  id bigint PRIMARY KEY,
  event_id text NOT NULL,
  type text NOT NULL,
  tenant text,
  created bigint NOT NULL,
  received_at timestamptz NOT NULL,
  traceparent text,
  headers text NOT NULL,
  keep_until_at timestamptz,
  body bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS ${index('body_kept')} ON ${body} (keep_until_at) WHERE keep_until_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${version} (
  entity text PRIMARY KEY,
  version bigint NOT NULL
);
`;
}
