import { memoryStore, RetryAfterError, WebhookError, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, RETRY, refused } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

describe('attempts in the request', () => {
  it('wait as the backoff says, and stop at the last', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith({ retry: { attempts: 3, baseMs: 100, factor: 3, jitter: 'none' } });
    const at: number[] = [];
    const began = performance.now();
    webhooks.on('*', () => {
      at.push(performance.now() - began);
      throw new Error('no');
    });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(at).toEqual([0, 100, 400]);
  });

  it('wait as long as an error asks for, while that is before the deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    for (const [waitMs, runs] of [
      [900, 2],
      [1000, 1],
    ] as const) {
      const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 1000, retry: { attempts: 2, jitter: 'none' } });
      const work = vi.fn(() => Promise.reject(new RetryAfterError('later', waitMs)));
      webhooks.on('*', work);
      const began = performance.now();
      const reply = receive().then((answer) => [answer, performance.now() - began]);
      await vi.advanceTimersByTimeAsync(2000);
      // A wait that would end at the deadline is not begun: the reply is not held back for nothing.
      expect(await reply).toEqual([answered('failed', 1, 1, 500), runs === 2 ? waitMs : 0]);
      expect(work).toHaveBeenCalledTimes(runs);
    }
  });

  it('end at the deadline, also in the middle of a wait', async () => {
    const { webhooks, errors, receive } = receiverWith({
      handlerTimeoutMs: 40,
      retry: { attempts: 9, schedule: [25], jitter: 'none' },
    });
    const work = vi.fn(() => Promise.reject(new Error('no')));
    webhooks.on('*', work);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(work.mock.calls.length).toBeGreaterThanOrEqual(1);
    expect(work.mock.calls.length).toBeLessThanOrEqual(2);
    expect(errors.every((error) => (error as Error).message === 'no')).toBe(true);
  });

  it('of handlers side by side are their own, and all of them are awaited', async () => {
    const { webhooks, receive } = receiverWith();
    const order: string[] = [];
    const failing =
      (name: string, times: number) =>
      (_: unknown, { attempt }: { readonly attempt: number }) => {
        order.push(`${name}${attempt}`);
        if (attempt <= times) throw new Error('no');
      };
    const slow = gate();
    webhooks.on('*', failing('a', 0), { name: 'a' }).on('*', failing('b', 2), { name: 'b' });
    webhooks.on('*', () => slow.promise, { name: 'slow' });
    const reply = receive();
    await vi.waitFor(() => expect(order).toHaveLength(4));
    slow.open();
    expect(await reply).toEqual(answered('processed', 3));
    expect(order.slice(0, 2)).toEqual(['a1', 'b1']);
    expect(order.toSorted()).toEqual(['a1', 'b1', 'b2', 'b3']);
  });

  it('go on counting from one delivery to the next, for each handler', async () => {
    const { webhooks, receive } = receiverWith();
    const seen: Record<string, number[]> = { once: [], often: [] };
    webhooks.on(
      '*',
      (_, { attempt }) => {
        seen.once?.push(attempt);
        throw new Error('no');
      },
      { name: 'once', retry: { attempts: 1 } },
    );
    webhooks.on(
      '*',
      (_, { attempt }) => {
        seen.often?.push(attempt);
        throw new Error('no');
      },
      { name: 'often', retry: { attempts: 2 } },
    );
    for (let i = 0; i < 3; i++) expect(await receive()).toEqual(answered('failed', 2, 2, 500));
    expect(seen).toEqual({ once: [1, 2, 3], often: [1, 2, 3, 4, 5, 6] });
  });

  it('that fail are each logged with the handler and the number of the attempt, over all deliveries', async () => {
    const { webhooks, logger, receive } = receiverWith({ retry: { attempts: 2, baseMs: 1 } });
    const err = new Error('no');
    webhooks.on('*', () => Promise.reject(err), { name: 'fails' });
    for (let i = 0; i < 2; i++) await receive();
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual(
      [1, 2, 3, 4].map((attempt) => ({
        level: 'error',
        message: 'A webhook handler failed',
        fields: { err, event_id: 'evt_1', event_type: 'user.created', handler: '*#fails', attempt },
      })),
    );
  });
});

describe('what a handler may return', () => {
  const withThen = (target: object, then: unknown) => Object.defineProperty(target, 'then', { value: then });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'then'],
    ['an object', { some: 'result' }],
    ['an object whose then is no function', withThen({}, 'later')],
  ])('also is %s, which is not waited for', async (_, returned) => {
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', () => returned);
    expect(await receive()).toEqual(answered('processed', 1));
  });

  it.each<[string, (work: Promise<unknown>) => unknown]>([
    ['a promise', (work) => work],
    ['an object with then, such as the query of a database', (work) => withThen({}, work.then.bind(work))],
    ['a function with then', (work) => withThen(() => undefined, work.then.bind(work))],
  ])('also is %s, which decides how the handler ended', async (_, returned) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = gate();
    webhooks.on('*', () => returned(work.promise));
    const reply = receive();
    await new Promise((resolve) => setTimeout(resolve, 5));
    work.fail(new Error('no'));
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(errors).toEqual([new Error('no')]);
  });
});

describe('what a handler may throw', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();

  it.each<[string, unknown]>([
    ['a proxy that nobody may touch', proxy],
    ['a symbol', Symbol('x')],
    ['a function', () => undefined],
    ['an error that names itself ours', { [Symbol.for('pathfinder.webhooks.WebhookError')]: true }],
  ])('also is %s', async (_, thrown) => {
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', () => Promise.reject(thrown));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
  });

  it('is dropped when it comes from work that nobody awaits', async () => {
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', (_, { once }) => {
      void once('floating', () => Promise.reject(new Error('late')));
    });
    expect(await receive()).toEqual(answered('processed', 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('comes after the deadline without being told twice', async () => {
    const store = memoryStore();
    const { webhooks, errors, receive } = receiverWith({ store, handlerTimeoutMs: 20 });
    const late = gate();
    webhooks.on('*', (_, { signal }) => late.promise.then(() => signal.throwIfAborted()));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    late.open();
    await vi.waitFor(async () => expect(await store.get('evt_1')).toMatchObject({ state: 'free', failures: 1 }));
    expect(errors).toEqual([new WebhookError('handler_timeout')]);
  });

  it('is told again when it is another error than the deadline', async () => {
    const { webhooks, errors, receive } = receiverWith({ handlerTimeoutMs: 20 });
    const late = gate();
    webhooks.on('*', () => late.promise);
    await receive();
    late.fail(new Error('of its own'));
    await vi.waitFor(() => expect(errors).toHaveLength(2));
    expect(errors).toEqual([new WebhookError('handler_timeout'), new Error('of its own')]);
  });
});

describe('a deadline', () => {
  it('is logged with the handler that missed it', async () => {
    const { webhooks, logger, receive } = receiverWith({ handlerTimeoutMs: 20 });
    const late = gate();
    webhooks.on('*', () => late.promise, { name: 'slow' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { err: new WebhookError('handler_timeout'), event_id: 'evt_1', event_type: 'user.created', handler: '*#slow' },
    ]);
    late.open();
  });

  it('that a handler missed does not count again when it ends: the others are still waited for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith();
    const [late, slow] = [gate(), gate()];
    webhooks.on('*', () => late.promise, { name: 'late', timeoutMs: 20 });
    webhooks.on('*', () => slow.promise, { name: 'slow' });
    const replies: unknown[] = [];
    const reply = receive().then((answer) => replies.push(answer));
    await vi.advanceTimersByTimeAsync(40);
    late.open();
    await vi.advanceTimersByTimeAsync(10);
    expect(replies).toEqual([]);
    slow.open();
    await reply;
    expect(replies).toEqual([answered('failed', 2, 1, 500)]);
  });
});

describe('the signal', () => {
  it('is one for all attempts, aborted already where it is first asked for late', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20 });
    const late = gate();
    const seen: unknown[] = [];
    webhooks.on('*', async (_, context) => {
      await late.promise;
      const { signal } = context;
      seen.push(signal === context.signal, signal.aborted, signal.reason);
    });
    await receive();
    late.open();
    await vi.waitFor(() => expect(seen).toEqual([true, true, new WebhookError('handler_timeout')]));
  });

  it('stays quiet after a handler has succeeded', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20 });
    let kept: AbortSignal | undefined;
    webhooks.on('*', (_, { signal }) => {
      kept = signal;
    });
    expect(await receive()).toEqual(answered('processed', 1));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(kept?.aborted).toBe(false);
  });

  it('may have listeners that throw, which is logged and goes no further', async () => {
    const { webhooks, logger, receive } = receiverWith({ handlerTimeoutMs: 20, retry: { attempts: 1 } });
    const heard = vi.fn();
    const never = gate();
    const err = new Error('a listener');
    const handler = (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
      signal.addEventListener('abort', () => {
        throw err;
      });
      signal.addEventListener('abort', heard);
      return never.promise;
    };
    webhooks.on('*', handler, { name: 'heeds' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(logger.lines).toContainEqual({
      level: 'error',
      fields: { event_id: 'evt_1', event_type: 'user.created', err, handler: '*#heeds' },
      message: 'A listener of context.signal failed',
    });
    never.open();
  });
});

describe('once', () => {
  it('tries a step again that failed, within one attempt too', async () => {
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    let runs = 0;
    const flaky = () => {
      if (++runs < 3) throw new Error('not yet');
      return runs;
    };
    const got: unknown[] = [];
    webhooks.on('*', async (_, { once }) => {
      for (let i = 0; i < 5; i++) got.push(await once('step', flaky).catch(() => 'failed'));
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect([got, runs]).toEqual([['failed', 'failed', 3, 3, 3], 3]);
  });

  it('keeps the steps of each handler apart', async () => {
    const { webhooks, receive } = receiverWith();
    const got: unknown[] = [];
    for (const name of ['a', 'b']) {
      webhooks.on('*', async (_, { once }) => void got.push(await once('step', () => name)), { name });
    }
    expect(await receive()).toEqual(answered('processed', 2));
    expect(got.toSorted()).toEqual(['a', 'b']);
  });

  it.each([8190, 8191])('keeps text of %i characters or says that it is too long', async (length) => {
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    webhooks.on('*', async (_, { once }) => void (await once('step', () => 'x'.repeat(length))));
    expect((await receive()).status).toBe(length === 8190 ? 200 : 500);
  });

  it.each(['a'.repeat(65), '', 'a/b', 'a b', '~1', 'a\n', 'é'])('refuses the step name %j', async (step) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = vi.fn();
    webhooks.on('*', async (_, { once }) => void (await once(step, work)));
    expect((await receive()).status).toBe(500);
    expect(errors).toEqual([new TypeError('A step name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.')]);
    expect(work).not.toHaveBeenCalled();
  });

  it.each(['a'.repeat(64), 'A-z_0.9', 'constructor', '__proto__'])('takes the step name %j', async (step) => {
    const { webhooks, receive } = receiverWith();
    const work = vi.fn(() => 1);
    webhooks.on('*', async (_, { once, attempt }) => {
      expect(await once(step, work)).toBe(1);
      if (attempt < 2) throw new Error('again');
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe('checkpoints', () => {
  function recording(store: WebhookStore = memoryStore()) {
    const calls: unknown[] = [];
    const wrapped: WebhookStore = {
      ...store,
      checkpoint(key, token, step, value) {
        calls.push([key, step, value]);
        return store.checkpoint(key, token, step, value);
      },
    };
    return { calls, store: wrapped };
  }

  it('are made for all handlers but the last to succeed, which completes the event', async () => {
    const { calls, store } = recording();
    const { webhooks, receive } = receiverWith({ store });
    for (const name of ['a', 'b', 'c']) webhooks.on('*', () => undefined, { name });
    expect(await receive()).toEqual(answered('processed', 3));
    expect(calls).toEqual([
      ['evt_1', '*#a', ''],
      ['evt_1', '*#b', ''],
    ]);
    expect(await receive({ id: 'evt_2', type: 'user.created' })).toEqual(answered('processed', 3));
  });

  it('are made for each that succeeds beside one that fails, and for the runs beyond a claim', async () => {
    const { calls, store } = recording();
    const { webhooks, receive } = receiverWith({ store, retry: { attempts: 3, baseMs: 1 } });
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'fails' });
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'fails-once', retry: { attempts: 1 } });
    webhooks.on('*', (_, { attempt }) => (attempt < 2 ? Promise.reject(new Error('no')) : undefined), {
      name: 'works',
    });
    await receive();
    expect(calls).toEqual([
      ['evt_1', '*#works', ''],
      ['evt_1', '*#fails/~1', '2'],
    ]);
  });

  it('are not made for a handler that asked about an entity and is the last to succeed', async () => {
    const { calls, store } = recording();
    const advance = vi.spyOn(store, 'advance');
    const { webhooks, receive } = receiverWith({ store });
    webhooks.on('*', async (_, { isStale }) => void (await isStale('user_1')), { name: 'asks' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect([calls, advance.mock.calls.length]).toEqual([[], 1]);
  });

  it('that the store could not make are reported, and the handler is not run again for them', async () => {
    const store = { ...memoryStore(), checkpoint: () => Promise.reject(new Error('down')) };
    const { webhooks, errors, logger, receive } = receiverWith({ store });
    const work = vi.fn();
    webhooks.on('*', work, { name: 'first' }).on('*', () => undefined, { name: 'second' });
    expect(await receive()).toEqual(answered('processed', 2));
    expect(work).toHaveBeenCalledTimes(1);
    const err = new WebhookError('store_unavailable', { cause: new Error('down') });
    expect(errors).toEqual([err]);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        message: 'A webhook handler failed',
        fields: { err, event_id: 'evt_1', event_type: 'user.created', handler: '*#first' },
      },
    ]);
  });

  it('that are lost end the wait of a handler beside for its next attempt', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const store: WebhookStore = { ...memoryStore(), checkpoint: async () => 'lost' };
    const { webhooks, receive } = receiverWith({ store, retry: { attempts: 2, schedule: [200], jitter: 'none' } });
    const waiting = vi.fn(() => Promise.reject(new Error('no')));
    webhooks.on('*', waiting, { name: 'waiting' });
    webhooks.on(
      '*',
      async (_, { once }) => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        await once('step', () => 1);
      },
      { name: 'loses', retry: { attempts: 1 } },
    );
    const began = performance.now();
    const reply = receive().then((answer) => [answer, performance.now() - began]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await reply).toEqual([refused(503, 'in_progress', RETRY), 10]);
    expect(waiting).toHaveBeenCalledTimes(1);
  });

  it('of how often a handler ran that are lost leave the event to whoever has it, and are no error', async () => {
    const store: WebhookStore = { ...memoryStore(), checkpoint: async () => 'lost' };
    const fail = vi.spyOn(store, 'fail');
    const { webhooks, errors, receive } = receiverWith({ store, retry: { attempts: 2, baseMs: 1 } });
    webhooks.on('*', () => Promise.reject(new Error('no')));
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(errors).toEqual([new Error('no'), new Error('no')]);
    expect(fail).not.toHaveBeenCalled();
  });

  it('that are lost stop the handlers beside, and the event is left to whoever has it', async () => {
    const store: WebhookStore = { ...memoryStore(), checkpoint: async () => 'lost' };
    const complete = vi.spyOn(store, 'complete').mockResolvedValue(false);
    const { webhooks, errors, receive } = receiverWith({ store });
    const reasons: unknown[] = [];
    webhooks.on('*', () => undefined, { name: 'first' });
    webhooks.on(
      '*',
      (_, { signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            resolve();
          });
        }),
      { name: 'second' },
    );
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(reasons.map((reason) => (reason as WebhookError).code)).toEqual(['lease_lost']);
    expect(complete).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([]);
  });
});

describe('serialBy', () => {
  it('keeps the lanes of tenants and of handlers apart', async () => {
    const keys: string[] = [];
    const store = memoryStore();
    const claim: WebhookStore['claim'] = (key, options) => {
      if (key.startsWith('lane')) keys.push(key);
      if (key.startsWith('lane')) expect(options).toEqual({ leaseMs: 30_000, bodyHash: '' });
      return store.claim(key, options);
    };
    const { webhooks, receive } = receiverWith({ store: { ...store, claim } });
    webhooks.on('user.created', () => undefined, { name: 'a', serialBy: ({ data }) => data.user.id });
    webhooks.on('user.*', () => undefined, { name: 'b', serialBy: () => '' });
    expect(await receive()).toEqual(answered('processed', 2));
    expect(keys).toEqual(['lane\n\nuser.created#a\nuser_1', 'lane\n\nuser.*#b\n']);
    // A lane that is free leaves nothing behind.
    expect(await store.get(keys[0] ?? '')).toBeUndefined();
  });

  it.each([
    ['nothing', () => undefined],
    ['a number', () => 7],
    ['a promise, also one that rejects', () => Promise.reject(new Error('no key'))],
  ])('that returns %s is a failure of its handler', async (_, serialBy) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = vi.fn();
    webhooks.on('*', work, { serialBy: serialBy as never });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect([errors, work.mock.calls]).toEqual([[new TypeError('`serialBy` must return a string.')], []]);
  });

  it('that throws is a failure of its handler', async () => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = vi.fn();
    webhooks.on('*', work, {
      serialBy: () => {
        throw new Error('no key');
      },
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(errors).toEqual([new Error('no key')]);
    expect(work).not.toHaveBeenCalled();
  });

  it('whose store cannot take the lane back reports it and answers the outcome', async () => {
    const store = memoryStore();
    const fail: WebhookStore['fail'] = (key, ...given) =>
      key.startsWith('lane') ? Promise.reject(new Error('down')) : store.fail(key, ...given);
    const { webhooks, errors, logger, receive } = receiverWith({ store: { ...store, fail } });
    webhooks.on('*', () => undefined, { name: 'serial', serialBy: () => 'lane' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(errors).toEqual([new WebhookError('store_unavailable', { cause: new Error('down') })]);
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { err: errors[0], event_id: 'evt_1', event_type: 'user.created', handler: '*#serial' },
    ]);
  });

  it('whose lane passes to another worker tells the handler to stop', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const store = { ...memoryStore(), leaseMs: 3000 };
    const extend: WebhookStore['extend'] = async (key, ...given) =>
      !key.startsWith('lane') && store.extend(key, ...given);
    const { webhooks, errors, receive } = receiverWith({ store: { ...store, extend } });
    const heed = (_: unknown, { signal }: { readonly signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    webhooks.on('*', heed, { serialBy: () => 'lane' });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(errors.map((error) => (error as WebhookError).code)).toEqual(['lease_lost']);
  });

  it('frees its lane after a failure, for the next attempt', async () => {
    const { webhooks, receive } = receiverWith();
    webhooks.on(
      '*',
      (_, { attempt }) => {
        if (attempt < 3) throw new Error('no');
      },
      { serialBy: () => 'lane' },
    );
    expect(await receive()).toEqual(answered('processed', 1));
  });
});

describe('options of on', () => {
  it.each([
    [{ timeoutMs: 0 }, '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647.'],
    [{ timeoutMs: Number.NaN }, '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647.'],
    [{ timeoutMs: '5' }, '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647.'],
    [{ retry: { attempts: 0 } }, 'The retry option attempts must be a whole number from 1.'],
    [
      { retry: { schedule: [] } },
      'The retry option schedule must be an array of at least one such number: a number of milliseconds from 0 and at most 2147483647.',
    ],
    [{ serialBy: 'user' }, '`serialBy` must be a function of the event that returns a key.'],
  ])('that make no sense are refused when they are given: %j', (options, message) => {
    const { webhooks } = receiverWith();
    expect(() => webhooks.on('*', () => undefined, options as never)).toThrow(new TypeError(message));
    expect(webhooks.eventTypes).toEqual([]);
  });
});
