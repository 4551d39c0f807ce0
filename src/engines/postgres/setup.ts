import type { WebhookLogger } from '../../index.ts';
import { unheeded } from '../../shared/guard.ts';
import type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './driver.ts';
import { COLUMNS, postgresSchema, type TableNames } from './schema.ts';

/** PostgreSQL 12: what is older has had no fixes since 2024, and is not tested. */
const OLDEST_VERSION = 120_000;
const LOCK = 'SELECT pg_advisory_xact_lock(hashtext($1))';
const VERSION =
  "SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name";
const SERVER = `SELECT pg_is_in_recovery() AS replica, current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous_commit, current_setting('full_page_writes') AS full_page_writes`;
const COLUMNS_OF = `SELECT array_agg(attname::text) AS columns FROM pg_attribute
  WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`;

/** How the set-up reaches the database. */
export interface SetupTools {
  query(asked: PostgresQuery): Promise<PostgresResult>;
  transaction<T>(work: (tx: PostgresClient) => Promise<T>): Promise<T>;
}

export interface SetupOptions {
  readonly tables: TableNames;
  readonly tablePrefix: string;
  readonly schema: string | undefined;
  readonly logger: Pick<WebhookLogger, 'warn'>;
}

/**
 * Makes the tables where they are missing, under a lock, so that processes that start together make them once; and warns of
 * what breaks a promise of the store.
 *
 * @throws Error for a server that is too old, and for tables of these names that are not the store's.
 */
export async function prepareTables(tools: SetupTools, pool: PostgresPool, options: SetupOptions): Promise<void> {
  const { tables, tablePrefix, schema, logger } = options;
  await refuseOldServer(tools);
  const missing = await findMissing(tools, tables);
  if (missing.length > 0) {
    await tools.transaction(async (tx) => {
      await tx.query({ text: LOCK, values: [tables.event] });
      await tx.query({ text: postgresSchema({ tablePrefix, schema }) });
    });
    await findMissing(tools, tables);
  }
  const [server] = (await tools.query({ text: SERVER })).rows as unknown as readonly ServerSettings[];
  for (const warning of [...warningsOf(server), ...poolWarnings(pool)]) unheeded(() => logger.warn({}, warning));
}

interface ServerSettings {
  readonly replica: boolean;
  readonly fsync: string;
  readonly synchronous_commit: string;
  readonly full_page_writes: string;
}

async function refuseOldServer({ query }: SetupTools): Promise<void> {
  const { version, name } = (await query({ text: VERSION })).rows[0] as { version: number; name: string };
  if (version >= OLDEST_VERSION) return;
  throw new Error(`postgresStore needs PostgreSQL 12 or later; this server is ${name}.`);
}

/** The tables that are not there. @throws Error for one that is there and is not the store's. */
async function findMissing({ query }: SetupTools, tables: TableNames): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const key of Object.keys(COLUMNS) as (keyof TableNames)[]) {
    const { columns } = (await query({ text: COLUMNS_OF, values: [tables[key]] })).rows[0] as {
      columns: string[] | null;
    };
    const lacking = COLUMNS[key].filter((column) => !columns?.includes(column));
    if (columns === null) missing.push(tables[key]);
    else if (lacking.length > 0) {
      throw new Error(
        `The table ${tables[key]} is not the webhook store's, or of another version: it has no column ${lacking.join(', ')}. Choose another \`tablePrefix\` or \`schema\`, or migrate it.`,
      );
    }
  }
  return missing;
}

function warningsOf(server: ServerSettings | undefined): readonly string[] {
  if (!server) return [];
  const { replica, fsync, synchronous_commit, full_page_writes } = server;
  const lossy = Object.entries({ fsync, synchronous_commit, full_page_writes }).filter(([, value]) => value === 'off');
  return [
    ...(replica
      ? [
          'This PostgreSQL server is a replica, which takes no writes: every delivery is answered 503. Connect to the primary.',
        ]
      : []),
    ...lossy.map(
      ([setting]) =>
        `PostgreSQL has \`${setting} = off\`: a crash of the server may lose events that were acknowledged.`,
    ),
  ];
}

function poolWarnings({ options }: PostgresPool): readonly string[] {
  if (!options || (options.connectionTimeoutMillis ?? 0) > 0) return [];
  return [
    'The pool of postgresStore has no `connectionTimeoutMillis`: connections that the network swallows stay taken for ever. Set it, to 5,000 say.',
  ];
}
