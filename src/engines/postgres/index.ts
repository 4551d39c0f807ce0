/**
 * The store on PostgreSQL.
 *
 * @module @pathfinder/webhooks/postgres
 */

export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './driver.ts';
export { type PostgresSchemaOptions, postgresSchema } from './schema.ts';
export { type PostgresStoreOptions, postgresStore } from './store.ts';
