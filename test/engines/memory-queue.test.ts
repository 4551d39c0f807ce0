import { NonRetryableError } from '@pathfinder/webhooks';
import { describeWebhookQueue, memoryQueue } from '@pathfinder/webhooks/testing';
import { expect, it, onTestFinished, vi } from 'vitest';
import { contractRunner } from '../support/contract-runner.ts';
import { receiverWith } from '../support/receiver.ts';

describeWebhookQueue('memoryQueue', () => memoryQueue({ allowVolatile: true }), { runner: contractRunner });

it('memoryQueue finds dead letters by wall clock even after the clock was set back', async () => {
  const queue = memoryQueue({ allowVolatile: true });
  const { webhooks, receive } = receiverWith({ queue });
  webhooks.on('*', () => {
    throw new NonRetryableError('never');
  });
  const nowMs = Date.now() - 3_600_000;
  const wall = vi.spyOn(Date, 'now').mockReturnValue(nowMs);
  onTestFinished(() => wall.mockRestore());
  await receive();
  await webhooks.drain({ maxMs: 1000 });
  expect(await queue.deadLetters.list({ sinceMs: nowMs + 1 })).toEqual([]);
  expect(await queue.deadLetters.list({ sinceMs: nowMs })).toEqual([expect.objectContaining({ failedAtMs: nowMs })]);
});
