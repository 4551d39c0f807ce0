import { check } from '../../shared/check.ts';

/** A query as `pg` takes it. */
export interface PostgresQuery {
  readonly text: string;
  readonly values?: unknown[];
  /** Prepared once on each connection. */
  readonly name?: string;
}

/** What `pg` answers. */
export interface PostgresResult {
  readonly rows: Record<string, unknown>[];
  readonly rowCount: number | null;
  readonly command: string;
}

/** A client that was taken from a pool: what a handler has as `context.tx`. */
export interface PostgresClient {
  /** Runs a statement. */
  query(query: PostgresQuery): Promise<PostgresResult>;
  /** Runs a statement with values for `$1` and so on. */
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
  /** Is told when the server ends the connection. */
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** Is told no longer. */
  off(event: 'error', listener: (error: Error) => void): unknown;
  /** Gives it back to its pool: the store does so by itself. */
  release(broken?: Error | boolean): void;
}

/** A `Pool` of `pg` 8, or one that works alike. */
export interface PostgresPool {
  /** Runs a statement on a connection that is free. */
  query(query: PostgresQuery): Promise<PostgresResult>;
  /** Takes a connection out of the pool. */
  connect(): Promise<PostgresClient>;
  /** Is told when the server ends an idle connection. */
  on(event: 'error', listener: (error: Error) => void): unknown;
  readonly totalCount: number;
  readonly options?: { readonly max?: number | undefined; readonly connectionTimeoutMillis?: number | undefined };
}

/** @throws TypeError for what is no pool, such as a `Client` or a connection string. */
export function checkPool(of: string, pool: unknown): asserts pool is PostgresPool {
  const { connect, query, on, totalCount } = (Object(pool) ?? {}) as Readonly<Record<string, unknown>>;
  const isPool = [connect, query, on].every((method) => typeof method === 'function') && typeof totalCount === 'number';
  check(isPool, `The first argument of ${of}`, 'a pool of pg 8 (`npm install pg`): new Pool({ connectionString })');
}
