import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Asker, NoAnswerError } from '../../src/run/ask.ts';
import { createDeadlines, type Deadline } from '../../src/run/deadlines.ts';
import { gate, plainAsker, thenableOf } from '../support/receiver.ts';

const never = () => new Promise<never>(() => undefined);

function fakeClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

describe("a call to the integrator's code", () => {
  it('returns the value of a promise, a thenable or a plain value', async () => {
    const asker = plainAsker();
    expect([await asker.ask(async () => 1), await asker.ask(() => 2), await asker.ask(() => thenableOf(3))]).toEqual([
      1, 2, 3,
    ]);
  });

  it('rejects with what the call throws, synchronously or later', async () => {
    const error = new Error('down');
    const asker = plainAsker();
    const throws = () => {
      throw error;
    };
    await expect(asker.ask(throws)).rejects.toBe(error);
    await expect(asker.ask(() => Promise.reject(error))).rejects.toBe(error);
    expect(() => asker.call(throws)).toThrow(error);
  });

  it('rejects with the error that its failure is mapped to', async () => {
    const asker = plainAsker(5000, (cause) => ({ refused: cause }));
    await expect(asker.ask(() => Promise.reject('x'))).rejects.toEqual({ refused: 'x' });
  });

  it('rejects an invalid answer', async () => {
    const isAnswer = (answer: unknown) => answer === 'yes';
    const asker = plainAsker();
    expect(await asker.ask(() => 'yes', { isAnswer })).toBe('yes');
    await expect(asker.ask(() => undefined as unknown, { isAnswer })).rejects.toEqual(
      new TypeError('The answer makes no sense.'),
    );
  });

  it('times out at its limit and not before', async () => {
    fakeClock();
    const ended: unknown[] = [];
    plainAsker(300)
      .ask(never)
      .catch((error) => ended.push(error));
    await vi.advanceTimersByTimeAsync(299);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual([new NoAnswerError('There was no answer within 300 ms.')]);
    expect(String(ended[0])).toBe('NoAnswerError: There was no answer within 300 ms.');
  });

  it('passes a late answer to its late callback once, and drops a late failure', async () => {
    fakeClock();
    const late: unknown[] = [];
    const asker = plainAsker(300);
    for (const end of ['open', 'fail'] as const) {
      const answer = gate<string>();
      const asked = asker.ask(() => answer.promise, { late: (one) => late.push(one) });
      asked.catch(() => undefined);
      await vi.advanceTimersByTimeAsync(300);
      await expect(asked).rejects.toThrow(NoAnswerError);
      answer[end]('late');
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(late).toEqual(['late']);
  });

  it('drops a late answer for which no callback was given', async () => {
    fakeClock();
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const asker = plainAsker(300);
    for (const options of [undefined, {}, { isAnswer: () => true }]) {
      const answer = gate<string>();
      const asked = asker.ask(() => answer.promise, options);
      asked.catch(() => undefined);
      await vi.advanceTimersByTimeAsync(300);
      await expect(asked).rejects.toThrow(NoAnswerError);
      answer.open('late');
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  });

  it('is rejected at once while ten thousand are pending, and allowed again after they time out', async () => {
    fakeClock();
    const asker = plainAsker(300);
    const open = Array.from({ length: 10_000 }, () => asker.ask(never));
    const called: string[] = [];
    for (let i = 0; i < 2; i++) {
      await expect(asker.ask(() => called.push('called'))).rejects.toEqual(
        new NoAnswerError('10000 calls have no answer yet.'),
      );
    }
    expect(called).toEqual([]);
    const settled = Promise.allSettled(open);
    await vi.advanceTimersByTimeAsync(300);
    expect((await settled).every(({ status }) => status === 'rejected')).toBe(true);
    expect(await asker.ask(() => 'again')).toBe('again');
  });

  it('leaves no timer behind', async () => {
    const deadlines = createDeadlines();
    const set = new Set<object>();
    const { add, remove } = deadlines;
    const counted = {
      add(deadline: Deadline) {
        set.add(deadline);
        add(deadline);
      },
      remove(deadline: Deadline) {
        set.delete(deadline);
        remove(deadline);
      },
    };
    const asker = new Asker({ deadlines: counted, timeoutMs: 5000, refuse: (cause) => cause });
    const asked = asker.ask(async () => 1);
    expect(set.size).toBe(1);
    await asked;
    await expect(asker.ask(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(set.size).toBe(0);
  });
});
