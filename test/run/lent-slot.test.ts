import { describe, expect, it } from 'vitest';
import { LentSlot } from '../../src/run/lent-slot.ts';

/** A slot of a worker that tells what is done with it; whoever enters comes in when `free` is called. */
function workerSlot() {
  const log: string[] = [];
  const entering: (() => void)[] = [];
  const lent = new LentSlot({
    leave: () => void log.push('left'),
    enter() {
      log.push('asked for');
      return new Promise<void>((resolve) => entering.push(resolve));
    },
  });
  const free = () => {
    for (const enter of entering.splice(0)) enter();
    return turn();
  };
  /** A handler that waits for its lane, of so many that have not ended. */
  function wait(name: string, open: number) {
    let call: () => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    const called = new Promise<void>((resolve, reject) => {
      call = resolve;
      fail = reject;
    });
    lent
      .lendFor(called, () => open)
      .then(
        () => log.push(`${name} goes on`),
        (error: Error) => log.push(`${name}: ${error.message}`),
      );
    return { call, fail };
  }
  return { log, lent, free, wait };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the worker slot of an event', () => {
  it('is released while the last unfinished handler waits, and reacquired before it continues', async () => {
    const { log, free, wait } = workerSlot();
    const first = wait('first', 2);
    expect(log).toEqual([]);
    const second = wait('second', 2);
    expect(log).toEqual(['left']);
    first.call();
    await turn();
    expect(log).toEqual(['left', 'asked for']);
    await free();
    expect(log).toEqual(['left', 'asked for', 'first goes on']);
    second.call();
    await turn();
    expect(log).toEqual(['left', 'asked for', 'first goes on', 'second goes on']);
  });

  it('is requested once by two handlers that are called together', async () => {
    const { log, free, wait } = workerSlot();
    const both = [wait('first', 2), wait('second', 2)];
    for (const { call } of both) call();
    await turn();
    await free();
    expect(log).toEqual(['left', 'asked for', 'first goes on', 'second goes on']);
  });

  it('is released once when a running handler ends and the rest wait, and never when none waits', async () => {
    const { log, lent, free, wait } = workerSlot();
    lent.look(0);
    const waiting = wait('it', 2);
    lent.look(2);
    expect(log).toEqual([]);
    lent.look(1);
    lent.look(1);
    expect(log).toEqual(['left']);
    waiting.call();
    await turn();
    await free();
    lent.look(1);
    lent.look(0);
    expect(log).toEqual(['left', 'asked for', 'it goes on']);
  });

  it('is released again at the next wait, and not requested when it was not released', async () => {
    const { log, free, wait } = workerSlot();
    for (const name of ['first', 'again']) {
      wait(name, 1).call();
      await turn();
      await free();
    }
    wait('beside another', 2).call();
    await turn();
    const round = (name: string) => ['left', 'asked for', `${name} goes on`];
    expect(log).toEqual([...round('first'), ...round('again'), 'beside another goes on']);
  });

  it('is reacquired when the wait fails', async () => {
    const { log, free, wait } = workerSlot();
    wait('it', 1).fail(new Error('told to stop'));
    await turn();
    await free();
    expect(log).toEqual(['left', 'asked for', 'it: told to stop']);
  });
});
