import { NonRetryableError } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { queueReceiver } from '../support/hand-queue.ts';

const never = new NonRetryableError('never');
const later = new Error('later');
const ENDED = 'NonRetryableError: never';

/** An event with two handlers, which fail as they are told before each run. */
async function event() {
  const { webhooks, receive, run, store, wait } = await queueReceiver({ retry: { attempts: 3, jitter: 'none' } });
  let errors: Readonly<Record<string, Error>> = {};
  let ran: string[] = [];
  for (const name of ['hopeless', 'shaky']) {
    webhooks.on(
      '*',
      () => {
        ran.push(name);
        if (errors[name]) throw errors[name];
      },
      { name },
    );
  }
  await receive();
  return {
    /** Runs the event once; what became of it, and which handlers ran. */
    async run(told: typeof errors) {
      errors = told;
      ran = [];
      wait(100_000_000);
      const { kind } = await run();
      return [kind, ...ran];
    },
    replay: () => store.revive('evt_1', { steps: 'keep' }),
    steps: async () => (await store.get('evt_1'))?.steps,
  };
}

describe('the handler checkpoints of an event', () => {
  it('list the handlers that still have to run until the event is dead', async () => {
    const { run, steps } = await event();
    expect(await run({ hopeless: never, shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await steps()).toEqual({ '*#hopeless/!1': ENDED });
    expect(await run({ shaky: later })).toEqual(['retry', 'shaky']);
    expect(await run({ shaky: later })).toEqual(['dead', 'shaky']);
    expect(await steps()).toEqual({ '*#hopeless/!1': ENDED, '!dead': '' });
  });

  it('keep successes, and failures only when one is final', async () => {
    const { run, replay, steps } = await event();
    expect(await run({ shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await steps()).toEqual({ '*#hopeless': '' });
    expect(await run({ shaky: never })).toEqual(['dead', 'shaky']);
    await replay();
    expect(await run({ shaky: later })).toEqual(['retry', 'shaky']);
    expect(await steps()).toEqual({ '*#hopeless': '', '!dead': '' });
  });

  it('ignore failures from before a replay, however often it is replayed', async () => {
    const { run, replay, steps } = await event();
    const gone = { '*#hopeless/!1': ENDED, '!dead': '' };
    expect(await run({ hopeless: never, shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await run({ shaky: never })).toEqual(['dead', 'shaky']);
    await replay();
    expect(await run({ hopeless: later, shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await steps()).toEqual({ ...gone, '!3': '' });
    expect(await run({ hopeless: later, shaky: never })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await steps()).toEqual({ ...gone, '!3': '', '*#shaky/!4': ENDED });
    expect(await run({ hopeless: never })).toEqual(['dead', 'hopeless']);
    await replay();
    expect(await run({ hopeless: later, shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await run({})).toEqual(['done', 'hopeless', 'shaky']);
  });

  it('end a handler again that fails for good after a replay', async () => {
    const { run, replay, steps } = await event();
    expect(await run({ hopeless: never, shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await run({ shaky: never })).toEqual(['dead', 'shaky']);
    await replay();
    expect(await run({ hopeless: never, shaky: later })).toEqual(['retry', 'hopeless', 'shaky']);
    expect(await run({ shaky: later })).toEqual(['retry', 'shaky']);
    expect(await steps()).toEqual({
      '*#hopeless/!1': ENDED,
      '*#hopeless/!3': ENDED,
      '!3': '',
      '!dead': '',
    });
  });

  it('stay unchanged by a replay that fails for good at once', async () => {
    const { run, replay, steps } = await event();
    await run({ hopeless: never, shaky: later });
    await run({ shaky: never });
    const before = await steps();
    await replay();
    expect(await run({ hopeless: never, shaky: never })).toEqual(['dead', 'hopeless', 'shaky']);
    expect(await steps()).toEqual(before);
  });
});
