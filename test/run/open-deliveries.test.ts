import type { WebhookDelivery } from '@pathfinder/webhooks';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { OpenDeliveries } from '../../src/run/open-deliveries.ts';
import { answered, bodyOf, deliveryOf, SECRET, sign } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

const turn = () => new Promise((resolve) => setTimeout(resolve));

describe('open deliveries', () => {
  it('are awaited until the last has left, and later ones are not', async () => {
    const deliveries = new OpenDeliveries();
    const [first, second] = [deliveries.enter(), deliveries.enter()];
    const told: string[] = [];
    const idle = deliveries.idle().then(() => told.push('idle'));
    const later = deliveries.enter();
    deliveries.leave(first);
    await turn();
    expect(told).toEqual([]);
    deliveries.leave(second);
    await idle;
    deliveries.leave(later);
    await deliveries.idle();
  });

  it('are awaited by every caller that asks while they are open', async () => {
    const deliveries = new OpenDeliveries();
    const first = deliveries.enter();
    const told: string[] = [];
    const waiting = ['one', 'two', 'three'].map((name) => deliveries.idle().then(() => told.push(name)));
    await turn();
    expect(told).toEqual([]);
    const second = deliveries.enter();
    waiting.push(deliveries.idle().then(() => told.push('four')));
    deliveries.leave(first);
    await turn();
    expect(told).toEqual(['one', 'two', 'three']);
    deliveries.leave(second);
    await Promise.all(waiting);
    expect(told).toEqual(['one', 'two', 'three', 'four']);
  });

  it('are not awaited when there are none', async () => {
    const deliveries = new OpenDeliveries();
    const told: string[] = [];
    deliveries.leave(deliveries.enter());
    void deliveries.idle().then(() => told.push('idle'));
    await turn();
    expect(told).toEqual(['idle']);
  });
});

describe('stop with open deliveries', () => {
  it('waits for a delivery whose secret is still being looked up', async () => {
    const found = gate<{ secret: string; tenant: string }>();
    const { webhooks, receive } = receiverWith({ secret: () => found.promise });
    webhooks.on('*', () => undefined);
    const running = receive();
    await turn();
    const told: string[] = [];
    const stopped = webhooks.stop().then(() => told.push('stopped'));
    await turn();
    expect(told).toEqual([]);
    found.open({ secret: SECRET, tenant: 'acme' });
    expect(await running).toEqual(answered('processed', 1));
    await stopped;
  });

  it('waits for a delivery whose body is still being read', async () => {
    const arriving = gate<WebhookDelivery>();
    const { webhooks } = receiverWith();
    webhooks.on('*', () => undefined);
    const running = webhooks.receive(arriving.promise);
    const told: string[] = [];
    const stopped = webhooks.stop().then(() => told.push('stopped'));
    await turn();
    expect(told).toEqual([]);
    arriving.open(deliveryOf(bodyOf()));
    expect(await running).toEqual(answered('processed', 1));
    await stopped;
  });

  it('waits for a call of handle', async () => {
    const work = gate();
    const { webhooks } = receiverWith();
    webhooks.on('*', () => work.promise);
    const running = webhooks.handle(bodyOf(), sign(bodyOf()));
    const told: string[] = [];
    const stopped = webhooks.stop().then(() => told.push('stopped'));
    await turn();
    expect(told).toEqual([]);
    work.open();
    expect(await running).toMatchObject({ status: 'processed' });
    await stopped;
  });

  it('ends within its limit when a handler or a queue never settles', async () => {
    const direct = receiverWith();
    direct.webhooks.on('*', () => gate().promise);
    const base = memoryQueue({ allowVolatile: true });
    const queued = receiverWith({ queue: { ...base, enqueue: () => gate<'accepted'>().promise } });
    for (const { webhooks, receive } of [direct, queued]) {
      void receive();
      await turn();
      const startedAtMs = performance.now();
      await webhooks.stop({ timeoutMs: 30 });
      expect(performance.now() - startedAtMs).toBeLessThan(5000);
    }
  });
});
