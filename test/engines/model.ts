import type { FailOptions, WebhookStore } from '@pathfinder/webhooks';
import fc from 'fast-check';
import { expect } from 'vitest';

/** A store that remembers finished ids for a second, and what moves its clock. */
export interface ClockedStore {
  readonly store: WebhookStore;
  wait(ms: number): void;
}

/** Compares a store with the model over many random histories, each on an empty store; a durable one forgets claims that nobody ended. */
export async function agreesWithModel(
  open: () => ClockedStore,
  { numRuns = 400, durable = false }: { readonly numRuns?: number; readonly durable?: boolean } = {},
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 60 }), async (history) => {
      const { store, wait } = open();
      const model = createModel(durable);
      const claims = new Map<string, { token: string; number: number }[]>();
      let made = 0;
      for (const step of history) {
        if (step.do === 'wait') wait(step.ms);
        // A token of the key, of an older claim of it, or of nobody.
        const given = claims.get(step.key)?.at(-1 - step.age) ?? { token: 'none', number: 0 };
        const { token, ...actual } = answerOf(await perform(store, step, given.token));
        expect(actual).toEqual(answerOf(model(step, given.number)));
        if (token === undefined) continue;
        claims.set(step.key, [...(claims.get(step.key) ?? []), { token, number: ++made }]);
      }
      await store.close();
    }),
    { numRuns },
  );
}

function answerOf(answer: unknown): { readonly token?: string } {
  return typeof answer === 'object' && answer !== null ? { ...answer } : ({ answer } as object);
}

interface Step {
  readonly do:
    | 'claim'
    | 'extend'
    | 'checkpoint'
    | 'complete'
    | 'fail'
    | 'revive'
    | 'get'
    | 'advance'
    | 'sweep'
    | 'wait';
  readonly key: string;
  readonly hash: string;
  readonly age: number;
  readonly ms: number;
  readonly fail: FailOptions;
  readonly keep: 'keep' | 'clear';
}

const actions = [
  'claim',
  'claim',
  'extend',
  'checkpoint',
  'complete',
  'fail',
  'revive',
  'get',
  'advance',
  'sweep',
  'wait',
] as const;
const failures: readonly FailOptions[] = [
  {},
  { error: 'x' },
  { error: 'x', retryInMs: 50 },
  { retryInMs: 50 },
  { error: 'x', dead: 'failed' },
  { dead: 'unhandled' },
  { forget: true },
];
const steps: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom(...actions),
  key: fc.constantFrom('a', 'b', 'b'),
  hash: fc.constantFrom('h', 'h', 'i'),
  age: fc.constantFrom(0, 0, 0, 1),
  ms: fc.constantFrom(1, 50, 100, 999, 1000),
  fail: fc.constantFrom(...failures),
  keep: fc.constantFrom('keep', 'clear'),
});

async function perform(store: WebhookStore, step: Step, token: string): Promise<unknown> {
  switch (step.do) {
    case 'claim':
      return store.claim(step.key, { leaseMs: 100, bodyHash: step.hash });
    case 'extend':
      return store.extend(step.key, token, 150);
    case 'checkpoint':
      return store.checkpoint(step.key, token, step.hash, String(step.ms));
    case 'complete':
      return store.complete(step.key, token);
    case 'fail':
      return store.fail(step.key, token, step.fail);
    case 'revive':
      return store.revive(step.key, { steps: step.keep });
    case 'get':
      return store.get(step.key);
    case 'advance':
      return [await store.advance(step.key, step.ms), await store.latest(step.key)];
    case 'sweep':
      return store.sweep(step.ms);
    case 'wait':
      return undefined;
  }
}

/** What durability.md says of a store, in as few words as it takes: the answer to each step. */
function createModel(durable: boolean): (step: Step, token: number) => unknown {
  type Row = {
    state: string;
    token: number;
    attempt: number;
    claims: number;
    failures: number;
    hash: string;
    until: number;
    error?: string | undefined;
    reason?: string | undefined;
    held: boolean;
    steps: Record<string, string>;
  };
  const rows = new Map<string, Row>();
  const versions = new Map<string, number>();
  let now = 0;
  let tokens = 0;

  const isLeft = ({ state, held, reason }: Row) =>
    (state === 'free' && !held) || reason === 'unhandled' || (durable && state === 'active' && !held);
  const expired = (row: Row) =>
    (row.state === 'done' ? row.until : row.until + (isLeft(row) ? 1000 : Number.POSITIVE_INFINITY)) <= now;

  function claim(row: Row | undefined, { key, hash }: Step): unknown {
    if (row && row.hash !== hash && (row.state !== 'free' || row.held)) return { status: 'conflict' };
    if (row?.state === 'done') return { status: 'done' };
    if (row?.state === 'dead') return { status: 'dead', failures: row.failures };
    if (row && row.until > now) return { status: 'busy', retryAfterMs: row.until - now };
    const replaced = row !== undefined && row.hash !== hash;
    const { attempt, claims, failures } = row ?? { attempt: 0, claims: 0, failures: 0 };
    const kept = row && !replaced ? row : { steps: {}, error: undefined, held: false };
    const token = ++tokens;
    const next: Row = {
      ...kept,
      state: 'active',
      token,
      attempt: attempt + 1,
      claims: claims + 1,
      failures,
      hash,
      until: now + 100,
    };
    rows.set(key, next);
    const answer = {
      status: 'acquired',
      attempt: next.attempt,
      claims: next.claims,
      failures,
      steps: { ...next.steps },
    };
    return replaced ? { ...answer, bodyReplaced: true } : answer;
  }

  function fail(row: Row, { error, retryInMs, dead, forget = false }: FailOptions): boolean {
    if (forget) return rows.delete(keyOf(row));
    const state = dead ? 'dead' : 'free';
    const counted = error === undefined ? { claims: row.claims - 1 } : { failures: row.failures + 1 };
    rows.set(keyOf(row), {
      ...row,
      ...counted,
      state,
      error,
      reason: dead,
      held: retryInMs !== undefined,
      until: now + (retryInMs ?? 0),
    });
    return true;
  }

  const keyOf = (row: Row) => [...rows].find(([, other]) => other === row)?.[0] ?? '';

  function advance({ key, ms }: Step): unknown {
    const latest = versions.get(key) ?? 0;
    versions.set(key, Math.max(latest, ms));
    return [ms >= latest, Math.max(latest, ms)];
  }

  function sweep(limit: number): number {
    const gone = [...rows].filter(([, row]) => expired(row)).slice(0, limit);
    for (const [key] of gone) rows.delete(key);
    return gone.length;
  }

  return (step, token) => {
    if (step.do === 'wait') now += step.ms;
    if (step.do === 'wait') return undefined;
    if (step.do === 'advance') return advance(step);
    if (step.do === 'sweep') return sweep(step.ms);
    const found = rows.get(step.key);
    const isGone = found !== undefined && expired(found);
    // Only a claim, which makes it anew, and a sweep delete an expired row; looking at it does not.
    if (isGone && step.do === 'claim') rows.delete(step.key);
    const row = isGone && ['claim', 'get', 'revive'].includes(step.do) ? undefined : found;
    const owned = row?.state === 'active' && row.token === token ? row : undefined;
    switch (step.do) {
      case 'claim':
        return claim(row, step);
      case 'extend':
        if (owned) owned.until = now + 150;
        return owned !== undefined;
      case 'checkpoint':
        if (!owned || step.hash in owned.steps) return owned ? 'exists' : 'lost';
        owned.steps = { ...owned.steps, [step.hash]: String(step.ms) };
        return 'saved';
      case 'complete':
        if (owned) Object.assign(owned, { state: 'done', until: now + 1000, steps: {}, error: undefined });
        return owned !== undefined || (row?.state === 'done' && row.token === token);
      case 'fail':
        return owned ? fail(owned, step.fail) : false;
      case 'revive': {
        if (row?.state !== 'dead' && row?.state !== 'done') return false;
        const kept = step.keep === 'keep' ? row.steps : {};
        Object.assign(row, {
          state: 'free',
          until: now,
          claims: 0,
          failures: 0,
          error: undefined,
          reason: undefined,
          held: true,
          steps: kept,
        });
        return true;
      }
      default: {
        if (!row) return undefined;
        const { state, attempt, claims, failures, hash, error, reason } = row;
        return { state, attempt, claims, failures, bodyHash: hash, error, ...(reason && { reason }), steps: row.steps };
      }
    }
  };
}
