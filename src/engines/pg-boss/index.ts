/**
 * The queue on pg-boss, with its store on PostgreSQL.
 *
 * @module @pathfinder/webhooks/pg-boss
 */

export type { BossDatabase, BossJob, BossOptions, PgBossClient } from './boss.ts';
export { type PgBossQueueOptions, pgBossQueue } from './queue.ts';
