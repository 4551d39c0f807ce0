/**
 * The store and the embedded queue on SQLite.
 *
 * @module @pathfinder/webhooks/sqlite
 */

export type { SqliteDatabase, SqliteStatement, SqliteValue } from './driver.ts';
export { type SqliteQueueOptions, sqliteQueue } from './queue.ts';
export { type SqliteStoreOptions, sqliteStore } from './store.ts';
export { sqliteSchema } from './store-sql.ts';
