import { type ReceivedWebhookEvent, WebhookErrorHandler, WebhookHandler } from '@pathfinder/webhooks';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { SignedEvent } from '../../src/run/signed-event.ts';
import { answered, bodyOf, deliveryOf, eventOf, recordingLogger, SECRET, sign } from '../support/deliver.ts';
import { receiverWith } from '../support/receiver.ts';

/** Does to an event whatever a handler may do. */
function spoil(event: ReceivedWebhookEvent): void {
  const changed = event as unknown as {
    id: string;
    type: string;
    created: number;
    data: { user?: { email?: string } };
  };
  changed.id = 'evt_other';
  changed.type = 'user.deleted';
  changed.created = 1;
  if (changed.data.user) changed.data.user.email = 'spoilt';
  changed.data = {};
}

describe('each run of a handler sees the event as it was signed', () => {
  it('when other handlers and earlier attempts have changed theirs', async () => {
    const { webhooks, receive } = receiverWith();
    const seen: unknown[] = [];
    const keys: string[] = [];
    for (const name of ['a', 'b']) {
      webhooks.on(
        'user.created',
        async (event, context) => {
          await Promise.resolve();
          seen.push(structuredClone(event));
          spoil(event);
          context.rawBody.fill(0);
          keys.push(context.idempotencyKey);
          if (context.attempt < 3) throw new Error('again');
        },
        { name },
      );
    }
    expect(await receive()).toEqual(answered('processed', 2));
    expect(seen).toEqual(Array(6).fill(eventOf()));
    expect([...new Set(keys)].sort()).toEqual(['evt_1:user.created#a', 'evt_1:user.created#b']);
  });

  it('when it comes from a queue or is delivered again', async () => {
    const seen: unknown[] = [];
    const queue = memoryQueue({ allowVolatile: true });
    const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger(), retry: { baseMs: 1 } });
    webhooks.on('user.*', (event, { attempt, rawBody }) => {
      seen.push(structuredClone(event));
      spoil(event);
      rawBody.fill(0);
      if (attempt < 3) throw new Error('again');
    });
    await webhooks.start();
    await webhooks.handle(bodyOf(), sign(bodyOf()));
    await vi.waitFor(() => expect(webhooks.metrics.getStats().processed).toBe(1));
    await webhooks.stop();
    expect(seen).toEqual(Array(3).fill(eventOf()));
  });

  it('with the output of a custom schema, validated again for each run', async () => {
    const schema = z.object({ user: z.object({ email: z.string().transform((email) => ({ at: email })) }) });
    const { webhooks, receive } = receiverWith({ events: { 'user.created': schema } });
    const seen: unknown[] = [];
    for (const name of ['a', 'b']) {
      webhooks.on(
        'user.created',
        (event) => {
          seen.push(structuredClone(event.data));
          spoil(event);
        },
        { name },
      );
    }
    expect(await receive()).toEqual(answered('processed', 2));
    expect(seen).toEqual(Array(2).fill({ user: { email: { at: 'ada@example.com' } } }));
  });

  it('with one validation for the first run in a worker and the hooks after it', async () => {
    let validations = 0;
    const event = new SignedEvent({ id: 'evt_1', type: 'user.created', created: 1 }, bodyOf(), async (read) => ({
      ...read,
      data: { validation: ++validations },
    }));
    expect(event.forHook().data).toEqual(eventOf().data);
    const first = await event.forRun();
    const second = await event.forRun();
    expect([first.data, second.data, event.forHook()]).toEqual([{ validation: 1 }, { validation: 2 }, first]);
    expect(event.forHook()).toBe(first);
  });

  it('in the result, onError and the error handler as well', async () => {
    const told: unknown[] = [];
    const tell = (event: ReceivedWebhookEvent | undefined) => void told.push(structuredClone(event));
    const { webhooks } = receiverWith({
      onError: (_, event) => {
        tell(event);
        if (event) spoil(event);
      },
      errorHandler: new WebhookErrorHandler({ storeFailedEvent: tell, logger: recordingLogger() }),
      retry: { attempts: 1 },
    });
    webhooks.on('*', (event) => {
      spoil(event);
      throw new Error('no');
    });
    const result = await webhooks.handle(bodyOf(), sign(bodyOf()));
    expect(result.event).toEqual(eventOf());
    expect(result.event).toBe(result.event);
    await vi.waitFor(() => expect(told).toEqual([eventOf(), eventOf()]));
  });
});

describe('the idempotency key', () => {
  it('is unique per tenant, event and handler, whatever colons they contain', async () => {
    const keys: string[] = [];
    const deliver = async (tenant: string | undefined, id: string, pattern: string) => {
      const secret = tenant === undefined ? SECRET : () => ({ secret: SECRET, tenant });
      const { webhooks, receive } = receiverWith({ secret });
      const note = (_: unknown, { idempotencyKey }: { idempotencyKey: string }) => void keys.push(idempotencyKey);
      webhooks.on(pattern as '*', note, { name: 'h' });
      expect(await receive({ id, type: pattern === '*' ? 'user.created' : pattern })).toEqual(answered('processed', 1));
    };
    await deliver(undefined, 'evt_1', '*');
    await deliver('acme', 'evt_1', '*');
    await deliver('a', 'b:c', '*');
    await deliver('a:b', 'c', '*');
    await deliver(undefined, 'a:b:c', '*');
    await deliver('a%3Ab', 'c', '*');
    expect(keys).toEqual([
      'evt_1:*#h',
      'acme:evt_1:*#h',
      'a:b%3Ac:*#h',
      'a%3Ab:c:*#h',
      'a%3Ab%3Ac:*#h',
      'a%253Ab:c:*#h',
    ]);
  });
});

describe('a mutable event for several consumers', () => {
  const received = eventOf() as unknown as ReceivedWebhookEvent;
  const changed = async (event: ReceivedWebhookEvent) => ({ ...event, data: { own: true } }) as ReceivedWebhookEvent;

  it('is the received one for the first, and parsed again for each further one', async () => {
    const event = new SignedEvent(received, bodyOf(), undefined, received);
    expect(event.forRun()).toBe(received);
    const [second, third, hooks] = [event.forRun(), event.forRun(), event.forHook()];
    for (const one of [second, third, hooks]) expect(one).toEqual(received);
    expect(new Set([received, second, third, hooks]).size).toBe(4);
  });

  it('is the received one for a hook that comes before any run', () => {
    const event = new SignedEvent(received, bodyOf(), undefined, received);
    expect(event.forHook()).toBe(received);
    expect(event.forRun()).not.toBe(received);
  });

  it('is validated again for further runs, but not for a hook', async () => {
    const asked = vi.fn(changed);
    const event = new SignedEvent(received, bodyOf(), asked, received);
    expect([event.forRun(), asked.mock.calls.length]).toEqual([received, 0]);
    expect(event.forHook()).toBe(received);
    expect(await event.forRun()).toEqual({ ...received, data: { own: true } });
    expect(asked.mock.calls.length).toBe(1);
  });
});

// docs/events.md, "Numbers beyond 2^53".
it('an integer beyond 2^53 is the nearest number in the event and exact in rawBody', async () => {
  const webhooks = new WebhookHandler({ secret: SECRET });
  const seen: unknown[] = [];
  webhooks.on('*', ({ data }, { rawBody }) => void seen.push(data, Buffer.from(rawBody).toString()));
  const body = bodyOf({ type: 'order.paid', data: { order_id: 1 } })
    .toString()
    .replace('"order_id":1', '"order_id":9007199254740993');
  expect(await webhooks.receive(deliveryOf(body))).toEqual(answered('processed', 1));
  expect(seen).toEqual([{ order_id: 9007199254740992 }, body]);
});
