import { createHash } from 'node:crypto';
import type { WebhookLogger } from '../../index.ts';
import { unheeded } from '../../shared/guard.ts';
import type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './driver.ts';
import type { TableNames } from './schema.ts';
import { prepareTables } from './setup.ts';

const UNDEFINED_TABLE = '42P01';
const DEFAULT_POOL_SIZE = 10;
// Deliveries come in, and the leases of handlers that hold the other connections are extended, through these.
const SPARE_CONNECTIONS = 2;

/** A statement, and the name under which a connection has it prepared. */
export interface Statement {
  readonly text: string;
  readonly name?: string | undefined;
}

export interface SessionOptions {
  readonly tables: TableNames;
  readonly tablePrefix: string;
  readonly schema: string | undefined;
  /** How long a statement may take; what takes longer loses its connection. */
  readonly statementTimeoutMs: number;
  readonly preparedStatements: boolean;
  readonly logger: Pick<WebhookLogger, 'warn'>;
}

/** The database as a store and its queue use it. */
export interface PostgresSession {
  /** Runs a statement: in the transaction that is given, else by itself. */
  run<Row>(statement: Statement, values: readonly unknown[], tx?: unknown): Promise<readonly Row[]>;
  /** Runs `work` in a transaction: committed when it resolves, rolled back when it rejects. */
  begin<T>(work: (tx: PostgresClient) => Promise<T>): Promise<T>;
  /** The same for a handler, which may hold it for long: the last connections of the pool are not for these. */
  transaction<T>(work: (tx: PostgresClient) => Promise<T>): Promise<T>;
}

const listening = new WeakSet<object>();

/** Gives each text its name. */
export function statements<T extends Readonly<Record<string, string>>>(
  texts: T,
  prepared: boolean,
): Readonly<Record<keyof T, Statement>> {
  const named = Object.entries(texts).map(([key, text]) => [key, prepared ? { text, name: nameOf(text) } : { text }]);
  return Object.fromEntries(named) as Record<keyof T, Statement>;
}

// A connection that is shared with other tables must not have two texts under one name.
function nameOf(text: string): string {
  return `pathfinder_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
}

export function openSession(pool: PostgresPool, options: SessionOptions): PostgresSession {
  const { statementTimeoutMs, logger } = options;
  const open = new Set<unknown>();
  const waiting: (() => void)[] = [];
  let room = Math.max(1, (pool.options?.max ?? DEFAULT_POOL_SIZE) - SPARE_CONNECTIONS);
  let preparing: Promise<void> | undefined;
  let isPrepared = false;

  // A pool without a listener takes the process down when the server ends an idle connection.
  if (!listening.has(pool)) {
    listening.add(pool);
    pool.on('error', (err) => {
      unheeded(() => logger.warn({ err }, 'PostgreSQL ended an idle connection; the pool opens another one'));
    });
  }

  const limited = (query: PostgresQuery) => ({ ...query, query_timeout: statementTimeoutMs });

  async function query(target: Pick<PostgresPool, 'query'>, asked: PostgresQuery): Promise<PostgresResult> {
    try {
      return await target.query(limited(asked));
    } catch (error) {
      const { code } = (error ?? {}) as { readonly code?: unknown };
      if (code === UNDEFINED_TABLE) isPrepared = false;
      // PostgreSQL may show the row there that it refused, with the bytes of an event.
      if (typeof code === 'string') Reflect.deleteProperty(error as object, 'detail');
      throw error;
    }
  }

  // Until it has succeeded once, each call tries: a server that was down, or tables that were not there, need no restart.
  async function prepare(): Promise<void> {
    preparing ??= prepareTables({ query: (asked) => query(pool, asked), transaction: begin }, pool, options).then(
      () => {
        isPrepared = true;
        preparing = undefined;
      },
      (error) => {
        preparing = undefined;
        throw error;
      },
    );
    await preparing;
  }

  // A statement of the package has a time limit, and one of a handler has none.
  async function begin<T>(work: (tx: PostgresClient) => Promise<T>): Promise<T> {
    return transact(await pool.connect(), work, statementTimeoutMs);
  }

  async function beginInTurn<T>(work: (tx: PostgresClient) => Promise<T>): Promise<T> {
    if (room > 0) room--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await transact(await pool.connect(), work);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else room++;
    }
  }

  async function transact<T>(
    client: PostgresClient,
    work: (tx: PostgresClient) => Promise<T>,
    mostMs?: number,
  ): Promise<T> {
    // Without a listener the process goes down with the server while the client is out of its pool.
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    const tx = lend(client, (one) => open.has(one), mostMs);
    try {
      await query(client, { text: 'BEGIN' });
      open.add(tx);
      const result = await work(tx);
      open.delete(tx);
      const { command } = await query(client, { text: 'COMMIT' });
      // The answer to the COMMIT of a transaction in which a statement failed, whoever caught its error.
      if (command === 'ROLLBACK') throw new Error('The transaction was rolled back: a statement in it had failed.');
      return result;
    } catch (error) {
      open.delete(tx);
      broken ??= await rollBack(client);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  async function rollBack(client: PostgresClient): Promise<Error | undefined> {
    try {
      await query(client, { text: 'ROLLBACK' });
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  return {
    async run<Row>({ text, name }: Statement, values: readonly unknown[], tx?: unknown) {
      if (!isPrepared && tx === undefined) await prepare();
      if (tx !== undefined && !open.has(tx)) throw new Error('This transaction of the Postgres store is over.');
      const target = tx === undefined ? pool : (tx as PostgresClient);
      const asked = { text, values: values as unknown[], ...(name !== undefined && { name }) };
      return (await query(target, asked)).rows as readonly Row[];
    },

    async begin(work) {
      if (!isPrepared) await prepare();
      return begin(work);
    },

    async transaction(work) {
      if (!isPrepared) await prepare();
      return beginInTurn(work);
    },
  };
}

/**
 * The client as a handler has it: good for its transaction only, since others use it afterwards.
 *
 * @param mostMs - How long a statement may take. Absent: as long as it takes.
 */
function lend(client: PostgresClient, isOpen: (tx: object) => boolean, mostMs?: number): PostgresClient {
  const ask = (text: string | PostgresQuery, values?: unknown[]): Promise<PostgresResult> => {
    const asked = typeof text === 'string' ? { text, ...(values && { values }) } : text;
    return client.query({ ...asked, query_timeout: mostMs } as PostgresQuery);
  };
  const tx: PostgresClient = Object.create(client, {
    query: {
      value: (...asked: Parameters<PostgresClient['query']>) => {
        if (isOpen(tx)) return mostMs === undefined ? client.query(...asked) : ask(...asked);
        return Promise.reject(new Error('This transaction is over: `context.tx` is good for the run of its handler.'));
      },
    },
    release: {
      value: () => {
        throw new Error('`context.tx` belongs to the store, which gives it back to its pool by itself.');
      },
    },
  });
  return tx;
}

/**
 * Whether a statement failed for what it was given, so that one of other deliveries may do; else the server, or the way to
 * it, is at fault.
 */
export function isOfOneStatement(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' && /^(21|22|23|40)[0-9A-Z]{3}$/.test(code);
}
