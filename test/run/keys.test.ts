import { memoryStore, WebhookHandler } from '@pathfinder/webhooks';
import { expect, it } from 'vitest';
import { bodyOf, deliveryOf, recordingLogger, SECRET } from '../support/deliver.ts';

// A store keeps these names over releases: an entity under another name has no version, and a lane no holder.
it.each([
  ['no tenant', SECRET, ''],
  ['a tenant', () => ({ secret: SECRET, tenant: 'acme' }), 'acme'],
] as const)(
  'entities and lanes of %s are stored under the tenant, the handler and their own name',
  async (_, secret, tenant) => {
    const memory = memoryStore();
    const keys: string[] = [];
    const store: typeof memory = {
      ...memory,
      claim(key, options) {
        keys.push(key);
        return memory.claim(key, options);
      },
      latest(entity) {
        keys.push(entity);
        return memory.latest(entity);
      },
    };
    const webhooks = new WebhookHandler({ secret, store, logger: recordingLogger() });
    webhooks.on('*', async (_event, { isStale }) => void (await isStale('user_1')), {
      name: 'h',
      serialBy: () => 'line',
    });
    expect((await webhooks.receive(deliveryOf(bodyOf()))).status).toBe(200);
    expect(keys.slice(1)).toEqual([`lane\n${tenant}\n*#h\nline`, `${tenant}\n*#h\nuser_1`]);
  },
);
