/**
 * The store on Redis.
 *
 * @packageDocumentation
 */

export type { IoRedisClient, NodeRedisClient, RedisClient } from './driver.ts';
export { type RedisStoreOptions, redisStore } from './store.ts';
