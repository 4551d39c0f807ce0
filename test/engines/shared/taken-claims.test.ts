import { memoryStore, type WebhookStore } from '@pathfinder/webhooks';
import { expect, it } from 'vitest';
import { noteClaims } from '../../../src/engines/shared/taken-claims.ts';

const CLAIM = { leaseMs: 1000, bodyHash: 'h' };

it('the token of a claim is given once for what was taken', async () => {
  const { store, begin, end } = noteClaims(memoryStore());
  begin('evt_1');
  expect(await store.claim('evt_1', CLAIM)).toMatchObject({ status: 'acquired', token: '1' });
  expect([end('evt_1'), end('evt_1')]).toEqual(['1', undefined]);
});

it('no token is given for what was not claimed, claimed by another, or not taken', async () => {
  const memory = memoryStore();
  const { store, begin, end } = noteClaims(memory);
  begin('unclaimed');
  begin('busy');
  await memory.claim('busy', CLAIM);
  expect((await store.claim('busy', CLAIM)).status).toBe('busy');
  expect((await store.claim('inline', CLAIM)).status).toBe('acquired');
  expect([end('unclaimed'), end('busy'), end('inline')]).toEqual([undefined, undefined, undefined]);
});

it('a store of a class keeps its private fields and its properties', async () => {
  class Store {
    readonly durable = true;
    readonly #memory = memoryStore();
    claim(...args: Parameters<WebhookStore['claim']>) {
      return this.#memory.claim(...args);
    }
    complete(...args: Parameters<WebhookStore['complete']>) {
      return this.#memory.complete(...args);
    }
  }
  const { store } = noteClaims(new Store() as unknown as WebhookStore);
  const claim = await store.claim('evt_1', CLAIM);
  expect([store.durable, claim.status === 'acquired' && (await store.complete('evt_1', claim.token))]).toEqual([
    true,
    true,
  ]);
});
