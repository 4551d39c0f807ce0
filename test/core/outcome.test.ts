import { readFileSync } from 'node:fs';
import { WebhookError } from '@pathfinder/webhooks';
import { describe, expect, it } from 'vitest';
import { type Outcome, outcomeOfClaim, resultOfEnqueued, resultOfRun, workOutcomeOf } from '../../src/outcome.ts';
import { replyTo } from '../../src/respond.ts';
import { signedEvent } from '../support/receiver.ts';

const event = signedEvent();
const error = new Error('no');
const failures = [{ handlerName: 'work', error }];

const outcomes: { readonly [S in Outcome['status']]: Extract<Outcome, { status: S }> } = {
  processed: { status: 'processed', ran: 2 },
  unhandled: { status: 'unhandled' },
  duplicate: { status: 'duplicate' },
  failed: { status: 'failed', ran: 2, failures, failuresBefore: 1, retryInMs: 500 },
  dead: { status: 'dead', ran: 2, failures, failuresBefore: 1 },
  conflict: { status: 'conflict' },
  in_progress: { status: 'in_progress', retryAfterMs: 70 },
};

/** What an event that ran before its reply comes to: the status of its result and that of its reply. */
function answerTo(outcome: Outcome): readonly [string, number] {
  try {
    const result = resultOfRun(outcome, event);
    return [result.status, replyTo(result).status];
  } catch (refusal) {
    if (!(refusal instanceof WebhookError)) throw refusal;
    return [`throws ${refusal.code}`, refusal.status];
  }
}

describe('an outcome', () => {
  it('has the same word in the result, the metrics and the log', () => {
    const words = Object.values(outcomes).map((outcome) => [
      outcome.status,
      workOutcomeOf(outcome),
      ...answerTo(outcome),
    ]);
    expect(words).toEqual([
      ['processed', { kind: 'done' }, 'processed', 200],
      ['unhandled', { kind: 'unhandled' }, 'unhandled', 200],
      ['duplicate', { kind: 'done' }, 'duplicate', 200],
      ['failed', { kind: 'retry', inMs: 500, error }, 'failed', 500],
      ['dead', { kind: 'dead', error }, 'in_progress', 503],
      ['conflict', { kind: 'conflict' }, 'throws id_conflict', 409],
      ['in_progress', { kind: 'retry', inMs: 70 }, 'in_progress', 503],
    ]);
  });

  it('is documented in the table of src/README.md as in the code', () => {
    const map = readFileSync(new URL('../../src/README.md', import.meta.url), 'utf8');
    const rows = [...map.matchAll(/^\| `(\w+)` \|.*\| ([^|]*) \| ([^|]*) \| ([^|]*) \|$/gm)].map(
      ([, ...cells]) => cells,
    );
    const words = Object.values(outcomes).map((outcome) => {
      const work = workOutcomeOf(outcome);
      const hears =
        work.kind === 'retry' ? `\`retry\` ${work.error ? 'with' : 'without'} an error` : `\`${work.kind}\``;
      const [status, reply] = answerTo(outcome);
      const result = status.replace(/\w+$/, (word) => `\`${word}\``);
      return [outcome.status, hears, result, String(reply)];
    });
    expect(rows.filter(([status]) => status !== undefined && status in outcomes)).toEqual(words);
  });

  it('follows from a claim that was not acquired', () => {
    expect(outcomeOfClaim({ status: 'busy', retryAfterMs: 70 })).toEqual(outcomes.in_progress);
    expect(outcomeOfClaim({ status: 'done' })).toEqual(outcomes.duplicate);
    expect(outcomeOfClaim({ status: 'conflict' })).toEqual(outcomes.conflict);
    const dead = outcomeOfClaim({ status: 'dead', failures: 3 });
    expect(dead).toEqual({ status: 'dead', ran: 0, failures: [], failuresBefore: 3 });
    expect(workOutcomeOf(dead)).toEqual({ kind: 'dead', error: new Error('The event had failed for good before.') });
  });

  it('counts how many handlers ran and which failed', () => {
    const { status, processed, failed, failures: told } = resultOfRun(outcomes.failed, event);
    expect([status, processed, failed, told]).toEqual(['failed', 2, 1, failures]);
    expect({ ...resultOfRun(outcomes.processed, event) }).toEqual({ status: 'processed', processed: 2, failed: 0 });
  });
});

describe('a result of enqueue', () => {
  it('becomes a result, or a rejection for a conflict', () => {
    const statusOf = (enqueued: 'accepted' | 'revived' | 'duplicate') => resultOfEnqueued(enqueued, event).status;
    expect([statusOf('accepted'), statusOf('revived'), statusOf('duplicate')]).toEqual([
      'queued',
      'queued',
      'duplicate',
    ]);
    expect(() => resultOfEnqueued('conflict', event)).toThrow(expect.objectContaining({ code: 'id_conflict' }));
  });
});
