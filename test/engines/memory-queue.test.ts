import { describeWebhookQueue, memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, it } from 'vitest';

describeWebhookQueue('memoryQueue', () => memoryQueue({ allowVolatile: true }), { runner: { describe, it } });
