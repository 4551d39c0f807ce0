import { describe, expect, it } from 'vitest';
import { OpenDeliveries } from '../../src/run/open-deliveries.ts';
import { answered, SECRET } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

const turn = () => new Promise((resolve) => setTimeout(resolve));

describe('open deliveries', () => {
  it('are waited for until the last of them has left, and not for those that come later', async () => {
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

  it('are not waited for when there are none', async () => {
    const deliveries = new OpenDeliveries();
    deliveries.leave(deliveries.enter());
    await deliveries.idle();
  });
});

describe('stop', () => {
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
});
