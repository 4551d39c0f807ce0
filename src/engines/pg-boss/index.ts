/**
 * The queue on pg-boss, with its store on PostgreSQL.
 *
 * @packageDocumentation
 */

export type { BossDatabase, BossJob, BossOptions, PgBossClient } from './boss.ts';
export { type PgBossQueueOptions, pgBossQueue } from './queue.ts';
