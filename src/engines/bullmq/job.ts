import { createHash } from 'node:crypto';
import type { Job } from 'bullmq';
import type { DeadReason, QueuedDelivery } from '../../index.ts';

/** Why the event of a job is dead, as the store said. */
export interface LetterData {
  readonly reason: DeadReason;
  readonly failures: number;
  readonly error: string;
  readonly failedAtMs: number;
}

/** The data of a job: a delivery, with its bytes as base64. */
export interface JobData extends Omit<QueuedDelivery, 'body'> {
  readonly body: string;
  readonly letter?: LetterData | undefined;
}

/** A job of the queue. */
export type EventJob = Job<JobData, undefined>;

/** The id of an event's job: BullMQ takes no colon in one, and no number. */
export function jobIdOf(key: string): string {
  return `wh_${createHash('sha256').update(key).digest('hex').slice(0, 40)}`;
}

export function toData(delivery: QueuedDelivery): JobData {
  const { body, ...rest } = delivery;
  return { ...rest, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64') };
}

export function toDelivery({ body, letter: _, ...rest }: JobData): QueuedDelivery {
  return { ...rest, body: Uint8Array.from(Buffer.from(body, 'base64')) };
}
