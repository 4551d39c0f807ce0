/**
 * The queue on BullMQ.
 *
 * @module @pathfinder/webhooks/bullmq
 */

export { type BullMQQueue, type BullMQQueueOptions, bullmqQueue } from './queue.ts';
