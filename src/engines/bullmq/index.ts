/**
 * The queue on BullMQ.
 *
 * @packageDocumentation
 */

export { type BullMQQueue, type BullMQQueueOptions, bullmqQueue } from './queue.ts';
