import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';

/** A schema of its own for the tests of a file, and pools on it. */
export interface TestPostgres {
  readonly schema: string;
  /** A pool whose connections find their tables in that schema; ended with the tests. */
  pool(options?: pg.PoolConfig): pg.Pool;
}

/** Makes a schema before the tests of this group, and drops it after them. */
export function testPostgres(url: string): TestPostgres {
  const schema = `webhook_test_${randomBytes(6).toString('hex')}`;
  const pools: pg.Pool[] = [];
  const pool = (options: pg.PoolConfig = {}) => {
    const search = `-c search_path=${schema}`;
    const opened = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 5000, options: search, ...options });
    // A test that ends a server ends the idle connections to it.
    opened.on('error', () => undefined);
    pools.push(opened);
    return opened;
  };
  beforeAll(async () => {
    await pool({ max: 1 }).query(`CREATE SCHEMA ${schema}`);
  });
  afterAll(async () => {
    await pool({ max: 1 }).query(`DROP SCHEMA ${schema} CASCADE`);
    for (const opened of pools) if (!opened.ended) await opened.end();
  });
  return { schema, pool };
}
