/**
 * The store on Redis.
 *
 * @module @pathfinder/webhooks/redis
 */

export type { IoRedisClient, NodeRedisClient, RedisClient } from './driver.ts';
export { type RedisStoreOptions, redisStore } from './store.ts';
