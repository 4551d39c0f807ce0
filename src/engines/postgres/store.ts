import { consoleLogger, type WebhookLogger, type WebhookStore } from '../../index.ts';
import { check, checkNames, duration, type OptionNames, positive } from '../../shared/check.ts';
import { letHold } from '../shared/holds.ts';
import { checkNamespace, storeKey } from '../shared/store-key.ts';
import { checkPool, type PostgresPool } from './driver.ts';
import { createEventRows, type EventRows } from './events.ts';
import { DEFAULT_PREFIX, type PostgresSchemaOptions, type TableNames, tableNames } from './schema.ts';
import { openSession, type PostgresSession } from './session.ts';

const DAY_MS = 86_400_000;

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions extends PostgresSchemaOptions {
  /** Keeps several endpoints on one database apart. 1 to 64 printable characters. Default `default`. */
  readonly namespace?: string | undefined;
  /** How long a finished id is remembered. Default 7 days. */
  readonly retentionMs?: number | undefined;
  /** How long a claim lasts without a heartbeat. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /**
   * How long a statement of the store may take; one that takes longer loses its connection, so that a pool gets over a network
   * that swallows answers. Default 5,000, as `storeTimeoutMs`: raise both together.
   */
  readonly statementTimeoutMs?: number | undefined;
  /** Whether each connection prepares the store's statements, under names. Default true; false for a pooler that cannot keep them. */
  readonly preparedStatements?: boolean | undefined;
  /** Told at the first use of a server that may lose what it took. Default: warnings to the console. */
  readonly logger?: Pick<WebhookLogger, 'warn'> | undefined;
}

/** The names of {@link PostgresStoreOptions}. */
export const POSTGRES_STORE_NAMES: OptionNames<PostgresStoreOptions> = {
  tablePrefix: true,
  schema: true,
  namespace: true,
  retentionMs: true,
  leaseMs: true,
  statementTimeoutMs: true,
  preparedStatements: true,
  logger: true,
};

/**
 * Remembers events in PostgreSQL 12 or later, which any number of machines may share. Makes its tables at the first use (see
 * `postgresSchema` to make them by a migration), and leases by the server's clock. What ends here is in the database: with
 * `{ transaction: true }` a handler's `context.tx` is a client in a transaction whose commit also marks the handler done, so
 * what it writes through that client happens exactly once. Versions of entities (`isStale`) are kept for good.
 *
 * @param pool - A `Pool` of `pg` 8, with `connectionTimeoutMillis` set and with at least two connections more than handlers that
 *   run in transactions. It stays the caller's to end.
 * @throws TypeError for options that make no sense, and for what is no pool.
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): WebhookStore {
  checkNames('postgresStore', options, POSTGRES_STORE_NAMES);
  checkPool('postgresStore', pool);
  const settings = readPostgresOptions(options);
  const session = openSession(pool, settings);
  return storeOver(session, createEventRows(session, { ...settings, keepBodiesMs: 0 }), settings);
}

/** The options with every default in place. */
export interface PostgresSettings {
  readonly tables: TableNames;
  readonly tablePrefix: string;
  readonly schema: string | undefined;
  readonly namespace: string;
  readonly retentionMs: number;
  readonly leaseMs: number;
  readonly statementTimeoutMs: number;
  readonly preparedStatements: boolean;
  readonly logger: Pick<WebhookLogger, 'warn'>;
}

/** @throws TypeError for options that make no sense. */
export function readPostgresOptions(options: PostgresStoreOptions): PostgresSettings {
  const { tablePrefix = DEFAULT_PREFIX, schema, preparedStatements = true, logger = consoleLogger } = options;
  const { retentionMs = 7 * DAY_MS } = options;
  check(Number.isFinite(retentionMs), '`retentionMs`', 'a finite number');
  check(typeof preparedStatements === 'boolean', '`preparedStatements`', 'true or false');
  return {
    tables: tableNames(tablePrefix, schema),
    tablePrefix,
    schema,
    namespace: checkNamespace(options.namespace ?? 'default'),
    retentionMs: positive('retentionMs', retentionMs),
    leaseMs: duration('leaseMs', options.leaseMs ?? 30_000),
    statementTimeoutMs: duration('statementTimeoutMs', options.statementTimeoutMs ?? 5000),
    preparedStatements,
    logger,
  };
}

/** How a namespace names the rows of its events and entities. */
export function keysIn(namespace: string): (key: string) => string {
  return (key) => storeKey(namespace, key);
}

/** The store over rows that are open already: its own, or those of a queue. */
export function storeOver(session: PostgresSession, rows: EventRows, settings: PostgresSettings): WebhookStore {
  const { namespace, retentionMs, leaseMs } = settings;
  const keyOf = keysIn(namespace);
  const store: WebhookStore = {
    durable: true,
    shared: true,
    retentionMs,
    leaseMs,
    transactions: 'async',
    claim: (key, options) => rows.claim(keyOf(key), options),
    extend: (key, token, forMs) => rows.extend(keyOf(key), token, forMs),
    checkpoint: (key, token, step, value, tx) => rows.checkpoint(keyOf(key), token, step, value, tx),
    transaction: (work) => session.transaction(work),
    complete: (key, token, tx) => rows.complete(keyOf(key), token, tx),
    fail: (key, token, options) => rows.fail(keyOf(key), token, options),
    get: (key) => rows.get(keyOf(key)),
    revive: (key, { steps }) => rows.revive(keyOf(key), steps === 'keep'),
    latest: (entity) => rows.latest(keyOf(entity)),
    advance: (entity, version, tx) => rows.advance(keyOf(entity), version, tx),
    sweep: (limit) => rows.sweep(limit),
    close: async () => undefined,
  };
  letHold(store, (key, bodyHash) => rows.hold(keyOf(key), bodyHash));
  return store;
}
